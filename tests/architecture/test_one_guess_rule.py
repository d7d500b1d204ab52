"""A business rule is one word: its folder of models, its folder of scenarios, its entry in docs/decisions."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT

MODELS = ROOT / "dbt_project" / "models"
RULES = sorted(
    folder.name for folder in MODELS.iterdir() if folder.is_dir() and folder.name not in ("staging", "marts")
)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_scenarios(rule: str) -> None:
    assert list((ROOT / "tests" / "scenarios" / rule).glob("*.yaml")), (
        f"tests/scenarios/{rule}/ holds no scenario"
    )


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_decision(rule: str) -> None:
    assert list((ROOT / "docs" / "decisions").glob(f"*{rule}*.md")), (
        f"docs/decisions/ has no entry named after {rule}"
    )


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_in_the_index(rule: str) -> None:
    index = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    for place in (f"dbt_project/models/{rule}", f"tests/scenarios/{rule}", f"decisions/{rule}"):
        assert place in index, f"docs/rules.md does not show {place}"


@pytest.mark.parametrize("rule", RULES)
def test_the_models_of_a_rule_carry_its_name(rule: str) -> None:
    strangers = [
        path.name for path in (MODELS / rule).glob("*.sql") if not path.name.startswith(f"int_{rule}__")
    ]
    assert not strangers
