"""Alerts: each rests on what we export and leads to a page that says what to do."""

import re

import pytest
import yaml

from lingqian.cluster.role import OURS
from lingqian.storage.mysql.meaning import MEANINGS
from lingqian.web.metric import METRICS, Form
from tidy.text import ROOT

ALERTS = ROOT / "deploy" / "alerts.yaml"
# Metrics and labels that the watcher itself adds, and the words of its language that we use.
THEIRS = {"up": {"job", "instance"}}
ADDED = {"job", "instance"}
WORDS = {
    "by", "count", "histogram_quantile", "increase", "instance", "lane", "le", "max",
    "max_over_time", "post", "rate", "reader", "sum",
}  # fmt: skip
# What a label can say; None: whatever the other end says.
VALUES = {
    "outcome": {"committed", "unsent", "unknown", "fenced", "found_committed", "found_missing"},
    "class": {
        *[meaning.name.replace(" ", "_") for meaning in MEANINGS],
        *["full", "io", "readonly", "corrupt", "busy"],
    },
    "reader": {"webhooks"},
    "job": {"lingqian"},
    "status": None,
}
LABELS = {
    name: {*row.labels, *(("le",) if row.form is Form.HISTOGRAM else ())}
    for row in METRICS
    for name in row.exported
}
SELECTOR = re.compile(r"([a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'([a-z_]+)(=~|!=|!~|=)"([^"]*)"')
WORD = re.compile(r"[A-Za-z_]+")
SPAN = re.compile(r"\[(\d+[smh])(:\d+[smh])?\]")


def rules():
    """Return every rule with the group it stands in."""
    groups = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [(group["name"], rule) for group in groups for rule in group["rules"]]


def mistakes(expression):
    """Yield what an expression names that nobody knows."""
    plain = SPAN.sub("", expression)
    for name, inside in SELECTOR.findall(plain):
        known = LABELS.get(name, THEIRS.get(name, set())) | ADDED
        for label, _, said in MATCHER.findall(inside):
            if label not in known:
                yield f"{name} has no label {label}"
            if (values := VALUES[label]) is not None and not set(said.split("|")) <= values:
                yield f"{label} never says {said}"
    for word in WORD.findall(SELECTOR.sub(r"\1", plain)):
        if word not in {*LABELS, *THEIRS, *WORDS}:
            yield f"{word} is unknown"
    if expression.count("(") != expression.count(")"):
        yield "parentheses"


@pytest.mark.parametrize(("group", "rule"), rules(), ids=lambda each: str(each)[:40])
def test_an_alert_rests_on_what_we_export(group, rule):
    """An alert on a name that nobody exports is silent for ever."""
    assert list(mistakes(rule["expr"])) == []
    assert group.removeprefix("lingqian-") in {*OURS, "all"}
    used = {name for name in LABELS if re.search(rf"\b{name}\b", rule["expr"])}
    role = group.removeprefix("lingqian-")
    for row in METRICS:
        if used & set(row.exported):
            assert role == "all" or role in row.roles, f"{row.name} is no metric of {role}"


@pytest.mark.parametrize(
    ("expression", "mistake"),
    [
        ("lingqian_moon_total > 0", "lingqian_moon_total is unknown"),
        ('lingqian_commits_total{colour="red"} > 0', "lingqian_commits_total has no label colour"),
        ('lingqian_commits_total{outcome="lost"} > 0', "outcome never says lost"),
        ("sum(rate(lingqian_commits_total[5m]) > 0", "parentheses"),
        ("lingqian_commits > 0", "lingqian_commits is unknown"),
    ],
)
def test_a_rule_with_a_mistake_is_found(monkeypatch, expression, mistake):
    """The control: each kind of mistake is one that the test above would tell."""
    monkeypatch.setitem(VALUES, "colour", {"red"})
    assert mistake in list(mistakes(expression))


def test_every_alert_says_how_bad_it_is_and_where_to_read_on():
    """In both languages, with a page that names it."""
    for _, rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        notes = rule["annotations"]
        assert notes.keys() == {"summary", "summary_zh", "runbook"}, rule["alert"]
        assert re.search("[一-鿿]", notes["summary_zh"])
        for hole in re.findall(r"\$labels\.(\w+)", notes["summary"] + notes["summary_zh"]):
            assert hole in {"instance", "lane", "reader", "account", "part", "post"}
        assert (ROOT / notes["runbook"]).is_file(), notes["runbook"]


def test_alerts_and_their_pages_name_each_other():
    """Whoever is woken by a name finds it on the page; a page names no alert that never comes."""
    named = {rule["alert"]: rule["annotations"]["runbook"] for _, rule in rules()}
    assert len(named) == len(rules())
    folder = ROOT / "docs" / "operating" / "failure"
    for alert, page in named.items():
        if (ROOT / page).parent == folder:
            assert f"`{alert}`" in (ROOT / page).read_text("utf-8"), f"{alert} in {page}"
    said = {
        word
        for page in folder.glob("*.md")
        for word in re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", page.read_text("utf-8"))
    }
    assert said <= named.keys()
