"""Reading callgrind's dumps, and the bound on what they say."""

import worst_input


def test_a_dump_says_its_total():
    assert worst_input.instructions(
        "# callgrind format\nevents: Ir\nfn=(1) main\n0 12\n"
        "totals: 4711\n") == 4711


def test_up_to_eight_times_is_well():
    lines, well = worst_input.judge(
        {"parser": {"common": 100.0, "worst": 800.0}})
    assert well
    assert lines == ["parser: 100 and 800 instructions, 8.00"]


def test_more_is_not_nor_is_nothing():
    lines, well = worst_input.judge(
        {"parser": {"common": 100.0, "worst": 100.0},
         "list": {"common": 100.0, "worst": 801.0}})
    assert not well
    assert lines[1].endswith("more than 8 times")
    assert not worst_input.judge({})[1]
