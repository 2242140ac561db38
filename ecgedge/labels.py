"""Class sets, ordered, with their source. The order is the order of a model's outputs.

AAMI beat classes follow ANSI/AAMI EC57:2012 and de Chazal et al. 2004 (10.1109/TBME.2004.827359):
N any beat not below, S supraventricular ectopic (SVEB), V ventricular ectopic (VEB), F fusion of the two,
Q paced or unclassifiable (reported apart, never trained).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ClassSet:
    """Names of a model's outputs, in order, and where the definition comes from."""

    names: tuple[str, ...]
    titles: tuple[str, ...]
    source: str


AAMI = ClassSet(
    names=("N", "S", "V", "F"),
    titles=("normal", "supraventricular ectopic", "ventricular ectopic", "fusion"),
    source="ANSI/AAMI EC57:2012; de Chazal et al. 2004, 10.1109/TBME.2004.827359",
)

REPORT = ClassSet(
    names=("normal", "mi", "abnormal", "history_mi"),
    titles=("normal", "myocardial infarction", "abnormal heartbeat", "history of MI"),
    source="Khan & Hussain, ECG Images dataset of Cardiac Patients, Mendeley Data gwbz3fsgp8, 10.17632/gwbz3fsgp8.2",
)
"""Classes of a whole report page: the four folders of the data set."""

_SYMBOLS_BY_CLASS = {"N": "NLRejB", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}

AAMI_CLASS_OF_SYMBOL: Mapping[str, str] = MappingProxyType(
    {symbol: name for name, symbols in _SYMBOLS_BY_CLASS.items() for symbol in symbols}
)
"""MIT annotation symbol of a beat -> AAMI class letter; symbols that are not beats are absent."""

MIT_SYMBOL_OF_CLASS: Mapping[str, str] = MappingProxyType({"N": "N", "S": "S", "V": "V", "F": "F", "Q": "Q"})
"""AAMI class letter -> the MIT symbol written into annotation files, as `bxb` expects."""
