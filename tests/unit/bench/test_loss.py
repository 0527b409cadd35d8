import pytest

from suite import loss


def _run(seed, cubic, delays, sent=100):
    return {"seed": seed, "cubic": cubic, "bbr": 10 * cubic,
            "delays": sorted(delays), "lost_share": 1 - len(delays) / sent,
            "wire_share": 1.3, "largest": 1514}


def test_summary_is_of_medians_and_pooled_delays():
    runs = [_run(1, 30, [25_000] * 100), _run(2, 10, [25_000] * 90),
            _run(3, 20, [25_000] * 97 + [80_000] * 3)]
    row = loss.summary("lwt-auto", 3, runs)
    assert row["runs"] == 3
    assert row["cubic"] == 20
    assert row["bbr"] == 200
    assert row["lost_share"] == 0
    assert row["p50"] == 25
    # 3 of 290 took longer.
    assert row["p99"] == 80
    assert row["largest"] == 1514


def test_targets_compare_auto_with_plain_at_three_percent():
    rows = [{"name": "lwt-plain", "loss": 3, "cubic": 1.2, "largest": 1514},
            {"name": "lwt-auto", "loss": 3, "cubic": 30.0, "largest": 1514},
            {"name": "lwt-auto", "loss": 5, "cubic": 0.1, "largest": 1600}]
    gain, largest = loss.targets(rows)
    assert gain.value == pytest.approx(25)
    assert gain.verdict == "met"
    assert largest.value == 1600
    assert largest.verdict == "missed"


def test_without_a_row_there_is_no_gain():
    targets = list(loss.targets([{"name": "lwt-auto", "loss": 3, "cubic": 30,
                                  "largest": 1514}]))
    assert [target.limit for target in targets] == [1514]
    assert not list(loss.targets([]))


def test_every_path_has_a_name_of_its_own():
    names = [one.name for one in loss.all_contenders()]
    assert len(set(names)) == len(names) == 8
