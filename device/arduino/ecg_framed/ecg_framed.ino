// ECG of an AD8232 as binary frames, for a source of kind "serial", protocol "framed": lost and damaged samples are
// noticed. Research and education only; not a medical device. Run the board from a battery while it is worn.
//
// Wiring and figures for agent.toml as in ecg_text. The frame is described in device/ecgedge_device/sources/frames.py.

const unsigned long PERIOD_US = 4000;  // 250 Hz
const int32_t NOT_MEASURED = INT32_MIN;
unsigned long due_us;
uint16_t sequence = 0;

void setup() {
  Serial.begin(115200);
  analogReference(EXTERNAL);  // AREF, so that 3.3 V is full scale; leave this line out on boards of 3.3 V
  pinMode(10, INPUT);
  pinMode(11, INPUT);
  due_us = micros();
}

uint16_t crc16(const uint8_t *bytes, uint8_t count) {
  uint16_t crc = 0xFFFF;
  for (uint8_t i = 0; i < count; i++) {
    crc ^= (uint16_t)bytes[i] << 8;
    for (uint8_t bit = 0; bit < 8; bit++) {
      crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    }
  }
  return crc;
}

void sendFrame(int32_t sample) {
  uint8_t frame[11] = {0xA5, 0x5A, 0x11, (uint8_t)sequence, (uint8_t)(sequence >> 8)};  // 0x11: version 1, one lead
  for (uint8_t i = 0; i < 4; i++) {
    frame[5 + i] = (uint8_t)((uint32_t)sample >> (8 * i));
  }
  uint16_t crc = crc16(frame + 2, 7);
  frame[9] = (uint8_t)crc;
  frame[10] = (uint8_t)(crc >> 8);
  Serial.write(frame, sizeof frame);
  sequence++;
}

void loop() {
  while ((long)(micros() - due_us) < 0) {}
  due_us += PERIOD_US;
  bool off = digitalRead(10) || digitalRead(11);
  sendFrame(off ? NOT_MEASURED : analogRead(A0));
}
