"""Loss is counted from what was acknowledged: a figure that flatters would be worse than none."""

from hypothesis import given
from hypothesis import strategies as st

from pilotlight.demo.measure import Acknowledged, acknowledged, loss, newest_loss, read_log


def items(count):
    return [Acknowledged(number, 100.0 + number) for number in range(1, count + 1)]


def test_nothing_lost_is_an_rpo_of_zero():
    found = loss(items(5), {1, 2, 3, 4, 5}, disaster_at=110.0)
    assert (found.lost, found.kept, found.rpo_seconds) == ((), 5, 0.0)


def test_rpo_reaches_back_to_the_last_moment_up_to_which_all_survived():
    found = loss(items(5), {1, 2, 5}, disaster_at=110.0)
    assert found.lost == (3, 4)
    assert found.rpo_seconds == 110.0 - 102.0


def test_losing_everything_reaches_back_to_the_first_item():
    assert loss(items(3), set(), disaster_at=110.0).rpo_seconds == 110.0 - 101.0


def test_items_nobody_was_told_of_are_not_counted():
    events = [
        {"event": "row", "n": 1, "at": 5.0},
        {"event": "row", "n": 2, "at": 20.0},
        {"event": "object", "n": 3, "at": 1},
    ]
    assert acknowledged(events, "row", "n", before=10.0) == [Acknowledged(1, 5.0)]


def test_a_line_cut_short_by_a_kill_does_not_hide_the_lines_before_it(tmp_path):
    path = tmp_path / "log"
    path.write_text('{"event": "row", "n": 1, "at": 1}\n{"event": "row", "n"')
    assert [each["n"] for each in read_log(path)] == [1]


@given(st.lists(st.booleans(), max_size=30))
def test_lost_and_kept_add_up(survives):
    all_items = items(len(survives))
    present = {item.number for item, kept in zip(all_items, survives, strict=True) if kept}
    found = loss(all_items, present, disaster_at=200.0)
    assert len(found.lost) + found.kept == len(all_items)
    assert set(found.lost).isdisjoint(present)


def test_of_a_log_only_a_prefix_survives():
    assert newest_loss(items(5), newest=3, disaster_at=110.0).lost == (4, 5)
