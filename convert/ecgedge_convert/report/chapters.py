"""A model's figures as the chapter of a report: verdicts, tables, pictures, and what they rest on."""

from ecgedge.labels import AAMI, REPORT
from ecgedge_convert.report.document import Block, Chapter, Part, Points, Text, Verdicts
from ecgedge_convert.report.drawings import (
    confusions,
    difference_picture,
    front_pictures,
    recall_picture,
    reliabilities,
)
from ecgedge_convert.report.section import Section
from ecgedge_convert.report.tables import accuracy_table, cost_table, latency_table, sureness_table
from ecgedge_convert.report.verdicts import remarks, verdicts


def chapter(section: Section, anchor: str) -> Chapter:
    """Everything about one model."""
    return Chapter(
        title=section.family.name,
        anchor=anchor,
        lead=_lead(section),
        parts=(
            Part("In short", _in_short(section)),
            Part("Accuracy and agreement", (accuracy_table(section), *difference_picture(section))),
            Part("Size and speed", (cost_table(section), latency_table(section))),
            Part("What is had for what is paid", front_pictures(section)),
            Part("Class by class", (recall_picture(section), confusions(section))),
            Part("Is it as sure as it is right?", (sureness_table(section), reliabilities(section))),
        ),
    )


def _lead(section: Section) -> str:
    answers, entry = section.rows[0].answers, section.rows[0].entry
    groups = len(answers.known)
    if section.family.task == "beat":
        true = int((answers.truth < len(AAMI.names)).sum())
        return f"Judges single beats. Measured on {true:,} beats of {groups} patients."
    facts = entry.training
    infarctions = len({g for g, k in zip(answers.groups, answers.truth, strict=True) if REPORT.names[int(k)] == "mi"})
    return (
        f"Judges pages. Measured on {len(answers)} pages ({groups} different ones, {infarctions} of them with an "
        f"infarction) of fold {facts.get('held_out_fold')} of {facts.get('folds')}, protocol {facts.get('protocol')}, "
        f"seed {facts.get('split_seed')}, that no variant was trained on."
    )


def _in_short(section: Section) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if section.warning:
        blocks.append(Text(section.warning, warning=True))
    blocks.append(Verdicts(verdicts(section)))
    if found := remarks(section):
        blocks.append(Points(found))
    return tuple(blocks)
