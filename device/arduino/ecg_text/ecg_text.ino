// ECG of an AD8232 as lines of text, for a source of kind "serial", protocol "text": one number per line, "!" while an
// electrode is off. Research and education only; not a medical device. Run the board from a battery while it is worn.
//
// Wiring: OUTPUT to A0, LO+ to 10, LO- to 11, 3.3V to the board's 3.3 V and to AREF, GND to GND.
// One unit is 3300 mV / 1024 / 1100 (gain of the AD8232 board) = 0.00293 mV; 0 mV lies at half of 3.3 V. In agent.toml:
//   fs_hz = 250
//   mv_per_unit = 0.00293
//   zero = 512

const unsigned long PERIOD_US = 4000;  // 250 Hz
unsigned long due_us;

void setup() {
  Serial.begin(115200);
  analogReference(EXTERNAL);  // AREF, so that 3.3 V is full scale; leave this line out on boards of 3.3 V
  pinMode(10, INPUT);
  pinMode(11, INPUT);
  Serial.println("# AD8232, 250 Hz");
  due_us = micros();
}

void loop() {
  while ((long)(micros() - due_us) < 0) {}
  due_us += PERIOD_US;
  if (digitalRead(10) || digitalRead(11)) {
    Serial.println('!');
  } else {
    Serial.println(analogRead(A0));
  }
}
