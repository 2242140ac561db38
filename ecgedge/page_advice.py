"""What a person is told beside a class of a report page: what it means, what it does not, and what to do.

Knows nothing of bundles; classes are those of `ecgedge.labels.REPORT`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "normal": "It looks like the reports that were called normal. That excludes no disease: symptoms count for "
        "more than this answer.",
        "mi": "It looks like the reports of patients with a myocardial infarction. Whoever has chest pain or is short "
        "of breath should call an ambulance now and not wait for a program.",
        "abnormal": "It looks like the reports with abnormal heartbeats. A clinician should read the ECG; whoever "
        "faints or has palpitations should not wait.",
        "history_mi": "It looks like the reports of patients who had an infarction earlier. A clinician should compare "
        "it with an older ECG: a new infarction can hide in it.",
    }
)
"""Class -> one or two sentences."""
UNSURE = "The model is not sure enough to answer. A clinician should read the ECG."
_DANGEROUS = "mi"


def advice_for(label: str, prediction_set: Sequence[str]) -> str:
    """What to say of an answer; a class of danger that cannot be excluded is named whatever the answer is."""
    said = ADVICE.get(label, "") if label else UNSURE
    if _DANGEROUS in prediction_set and label != _DANGEROUS:
        said += " A myocardial infarction cannot be excluded."
    return said.strip()
