"""The codes of docs/protocol.md, "How much", are those of the sender's policy."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/protocol.md").read_text(encoding="utf-8").partition(
    "#### How much")[2]
POLICY = ROOT / "dataplane/fec/policy"


def test_the_table_of_codes_is_the_policys():
    header = POLICY.with_suffix(".h").read_text(encoding="utf-8")
    source = POLICY.with_suffix(".cc").read_text(encoding="utf-8")
    codes = [(int(k), int(m)) for k, m in re.findall(
        r"\{(\d+), (\d+), 1\}", header.partition("kTable")[2])][:4]
    # Where the next line of the table begins, as shares.
    begins = [float(re.search(r"kWorthwhile = ([\de.-]+);", header).group(1))]
    knots = source.partition("int KnotFor(")[2].partition("\n}")[0]
    begins += [float(share) for share in re.findall(r"loss < (0\.\d+)", knots)]
    rows = re.findall(r"^\| (\d) \| [a-z ,]*(?:([\d.]+) %)? \| (.*) \|$", PAGE,
                      re.MULTILINE)[:5]
    assert [int(line) for line, _, _ in rows] == [0, 1, 2, 3, 4]
    assert [round(float(below) / 100, 6) for _, below, _ in rows[:4]] == begins
    assert [code for _, _, code in rows] == ["off"] + [
        f"{k} + {m}" for k, m in codes]


def test_the_numbers_of_the_rules_are_the_policys():
    source = POLICY.with_suffix(".cc").read_text(encoding="utf-8")
    named = {"kHalfLifeUs": "2e6", "kEnoughToKnow": "500",
             "kStepUs": "1'000'000", "kCongestedUs": "5'000'000",
             "kLongestCongestedUs": "80'000'000",
             "kForgetCongestionUs": "120'000'000",
             "kCarefulStepUs": "2'000'000", "kSettleUs": "500'000",
             "kFullStepUs": "2'000'000", "kNotFullUs": "20'000'000",
             "kFewInTrip": "0.4", "kFewestNumbers": "100",
             "kFewestIntervals": "8", "kLoadRatio": "1.3", "kLossRatio": "2",
             "kLossDifference": "0.01", "kLoadRise": "1.15",
             "kCarriedShare": "0.5", "kBursty": "1.5", "kByChance": "8",
             "kChanceHalfLifeUs": "5e6"}
    found = dict(re.findall(r"^constexpr \w+ (k\w+) = ([\w.']+);", source,
                            re.MULTILINE))
    assert found == named, "the rules of docs/protocol.md say another number"
