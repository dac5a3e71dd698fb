"""References that say something else than the code mislead on the day they are needed."""

import string

import pytest

from pilotlight.cli import reference


def test_the_error_reference_is_what_the_code_says():
    assert (reference.REFERENCE / "errors.md").read_text() == reference.error_reference()


def test_the_declaration_reference_is_what_the_code_says():
    assert (reference.REFERENCE / "declaration.md").read_text() == reference.declaration_reference()


def test_the_table_of_the_providers_calls_is_what_the_code_says():
    assert (reference.REFERENCE / "provider-calls.md").read_text() == reference.provider_reference()


def test_the_reference_of_settings_is_what_the_survey_does():
    assert (reference.REFERENCE / "settings.md").read_text() == reference.settings_reference()


def test_the_list_of_what_stands_in_the_place_of_motos_own_is_what_the_embedded_cloud_does():
    gaps = (reference.REFERENCE / "local-cloud-gaps.md").read_text()
    assert gaps == reference.with_overrides(gaps)


def test_the_readmes_picture_is_drawn_from_the_recorded_rehearsal():
    assert (reference.DOCS / "timeline.svg").read_text() == reference.picture()


@pytest.mark.parametrize("kind", reference.error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_says_what_happened_and_what_to_do_now(kind):
    fields = {
        name for text in (kind.__doc__ or "", kind.hint) for _, name, _, _ in string.Formatter().parse(text) if name
    }
    facts = {name: 1.0 for name in fields}
    problem = kind.__new__(kind)
    problem.facts = facts
    assert len(problem.message) > 20
    assert "{" not in problem.message
    assert problem.advice.endswith((".", "?"))
    assert kind.hint is not reference.PilotlightError.hint
    assert kind.code in (2, 3, 4, 5, 6, 7, 130)
