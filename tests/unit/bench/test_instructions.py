"""Reading callgrind's files, and the bound on what they say."""

import instructions

_FILE = """# callgrind format
positions: line
events: Ir

ob=(1) /lib/libc.so
fl=(1) ???
fn=(1) start
0 7
cob=(2) /b/tests/trial
cfi=(2) ???
cfn=(2) main
calls=1 0
0 5000

ob=(2)
fl=(2)
fn=(2)
12 30
+3 4
* 2
cob=(3) /lib/other
cfn=(3) work
calls=9 0
14 1000
-2 1

ob=(3)
fn=(3)
0 1000
"""


def test_only_self_cost_of_the_program_counts():
    assert instructions.own_cost(_FILE, "trial") == 37
    assert instructions.own_cost(_FILE, "other") == 1000
    assert instructions.own_cost(_FILE, "absent") == 0


def test_two_percent_above_is_the_bound():
    baseline = {"sender": 100.0, "receiver": 200.0}
    lines, well = instructions.compare({"sender": 102.0, "receiver": 190.0},
                                       baseline)
    assert well
    assert "+2.0%" in lines[0] and "-5.0%" in lines[1]
    lines, well = instructions.compare({"sender": 102.1, "receiver": 200.0},
                                       baseline)
    assert not well
    assert "more than 2 % above" in lines[0]
