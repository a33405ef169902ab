"""Label and field selectors, as text and as objects."""

from __future__ import annotations

import pytest

from cdi.kube import labelsyntax, selectors

LABELS = {"app": "cdi", "tier": "worker", "n": "7", "example.com/kind": "import"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        pytest.param("", True, id="nothing-asked"),
        pytest.param("app=cdi", True, id="equal"),
        pytest.param("app == cdi", True, id="equal-twice-with-spaces"),
        pytest.param("app=other", False, id="not-equal"),
        pytest.param("app!=other", True, id="differs"),
        pytest.param("missing!=x", True, id="missing-differs-from-everything"),
        pytest.param("missing=x", False, id="missing-equals-nothing"),
        pytest.param("app", True, id="exists"),
        pytest.param("missing", False, id="does-not-exist-but-should"),
        pytest.param("!missing", True, id="should-not-exist"),
        pytest.param("!app", False, id="exists-but-should-not"),
        pytest.param("app in (a,cdi)", True, id="in"),
        pytest.param("app in(cdi)", True, id="in-without-space"),
        pytest.param("app in (a, b)", False, id="not-in-the-set"),
        pytest.param("app notin (a,b)", True, id="notin"),
        pytest.param("missing notin (a)", True, id="missing-is-in-no-set"),
        pytest.param("n>6", True, id="greater"),
        pytest.param("n<7", False, id="not-less"),
        pytest.param("app>3", False, id="words-are-not-greater"),
        pytest.param("example.com/kind=import", True, id="prefixed-key"),
        pytest.param("app in (a,cdi),tier=worker,!x", True, id="all-of-several"),
        pytest.param("app=cdi,tier=other", False, id="one-of-several-fails"),
        pytest.param("app=", False, id="empty-value"),
    ],
)
def test_a_label_selector_matches(text: str, matches: bool) -> None:
    selector = selectors.parse_selector(text)
    assert selector.matches(LABELS) is matches
    assert selectors.parse_selector(str(selector)) == selector


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a b", id="two-words"),
        pytest.param("a,,b", id="an-empty-part"),
        pytest.param("a in b", id="a-set-without-brackets"),
        pytest.param("=a", id="no-key"),
        pytest.param("a===b", id="three-signs"),
        pytest.param("a===", id="three-signs-and-no-value"),
        pytest.param(",", id="only-a-comma"),
        pytest.param("a,", id="a-comma-at-the-end"),
        pytest.param(",a", id="a-comma-in-front"),
        pytest.param("a in (b", id="an-open-bracket"),
        pytest.param("a in (b) c", id="a-word-too-many"),
        pytest.param("a)", id="a-bracket-too-many"),
        pytest.param("!a=b", id="absent-and-equal"),
        pytest.param("a=b c", id="two-values"),
        pytest.param("a>b", id="greater-than-a-word"),
        pytest.param("a>", id="greater-than-nothing"),
        pytest.param("-a", id="a-key-that-begins-with-a-dash"),
        pytest.param("Not.A_Host/a", id="a-prefix-that-is-no-host"),
        pytest.param("a=-b", id="a-value-that-begins-with-a-dash"),
        pytest.param(f"a={64 * 'b'}", id="a-value-too-long"),
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(labelsyntax.Malformed, match="label selector"):
        selectors.parse_selector(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(",", "found ',', expected: !, identifier, or 'end of string'", id="comma"),
        pytest.param("a,,b", "found ',', expected: identifier after ','", id="two-commas"),
        pytest.param(
            "a===", "unable to parse requirement: found '=', expected: identifier", id="signs"
        ),
        pytest.param("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, "
                     "!=, gt, lt", id="two-words"),
        pytest.param("a in (b) c", "found 'c', expected: ',' or 'end of string'", id="behind"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_the_servers_words(text: str, problem: str) -> None:
    with pytest.raises(labelsyntax.Malformed) as refused:
        selectors.parse_selector(text)
    assert refused.value.problem == problem


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("a in (,b)", {"", "b"}, id="in-front"),
        pytest.param("a in (b,)", {"", "b"}, id="at-the-end"),
        pytest.param("a in (b,,c)", {"", "b", "c"}, id="between"),
        pytest.param("a in (in,notin)", {"in", "notin"}, id="words-of-the-grammar"),
    ],
)
def test_an_empty_place_in_a_set_is_the_empty_value(text: str, values: set[str]) -> None:
    (requirement,) = selectors.parse_selector(text).requirements
    assert requirement.values == values


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        pytest.param(None, "", id="none"),
        pytest.param({}, "", id="empty"),
        pytest.param({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2", id="labels"),
        pytest.param(
            {
                "matchExpressions": [
                    {"key": "a", "operator": "In", "values": ["2", "1"]},
                    {"key": "b", "operator": "NotIn", "values": ["1"]},
                    {"key": "c", "operator": "Exists"},
                    {"key": "d", "operator": "DoesNotExist"},
                ]
            },
            "a in (1,2),b!=1,c,!d",
            id="expressions",
        ),
    ],
)
def test_a_selector_object_means(spec: dict[str, object] | None, text: str) -> None:
    assert str(selectors.selector_for(spec)) == text


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param({"key": "a", "operator": "In"}, id="in-nothing"),
        pytest.param({"key": "a", "operator": "Exists", "values": ["1"]}, id="exists-with-value"),
        pytest.param({"key": "a", "operator": "Near", "values": ["1"]}, id="unknown-operator"),
    ],
)
def test_a_broken_expression_is_refused(expression: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"label selector|is not a valid Operator"):
        selectors.selector_for({"matchExpressions": [expression]})


POD = {
    "metadata": {"name": "p", "namespace": "ns"},
    "spec": {"nodeName": "one", "hostNetwork": True},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        pytest.param("", True, id="nothing-asked"),
        pytest.param("metadata.name=p", True, id="name"),
        pytest.param("metadata.name==p,metadata.namespace=ns", True, id="name-and-namespace"),
        pytest.param("status.phase!=Running", False, id="differs"),
        pytest.param("spec.schedulerName=", True, id="missing-is-empty"),
        pytest.param("spec.hostNetwork=true", True, id="a-boolean"),
        pytest.param("spec.nodeName=two", False, id="another-value"),
        pytest.param(r"metadata.name!=a\,b\=c", True, id="escaped-signs"),
    ],
)
def test_a_field_selector_matches(text: str, matches: bool) -> None:
    assert selectors.fields_match(selectors.parse_fields(text), POD) is matches


@pytest.mark.parametrize(
    "text", ["metadata.name", "=x", "a b=c", "metadata.name===p", "metadata.name!==p", "a=b\\c"]
)
def test_a_field_selector_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^invalid (field )?selector: "):
        selectors.parse_fields(text)
