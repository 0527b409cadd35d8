"""The alerts and the dashboard of the package: promtool takes each expression,
and each alert comes by what makes it and by nothing else. That what they name
is there is shown by unit-control-telemetry."""

import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGED = ROOT / "scripts/packaging"
RULES = PACKAGED / "prometheus/lightweight-tunnel.rules.yml"
DASHBOARD = PACKAGED / "grafana/lightweight-tunnel.json"


def _promtool(*words):
    done = subprocess.run(["promtool", *map(str, words)], text=True,
                          check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def _expressions():
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_promtool_takes_the_alerts():
    assert "SUCCESS: 12 rules found" in _promtool("check", "rules", RULES)


def test_each_alert_comes_when_it_should(tmp_path):
    script = (ROOT / "tests/unit/scripts/alerts.yml").read_text(encoding="utf-8")
    alerts = [line.split()[-1] for line in RULES.read_text(
        encoding="utf-8").splitlines() if "- alert:" in line]
    assert all(f'alertname="{alert}"' in script for alert in alerts)
    stories = tmp_path / "alerts.yml"
    stories.write_text(script.replace("RULES", str(RULES)), encoding="utf-8")
    _promtool("test", "rules", stories)


def test_promtool_takes_each_expression_of_the_dashboard(tmp_path):
    expressions = _expressions()
    assert len(expressions) > 15
    rules = [{"record": f"panel:{number}",
              "expr": expression.replace("$__rate_interval", "5m")}
             for number, expression in enumerate(expressions)]
    # What is JSON is YAML too.
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels",
                                            "rules": rules}]}))
    assert f"{len(rules)} rules found" in _promtool("check", "rules", file)


def test_panels_do_not_cover_each_other():
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    taken = [(x, y) for place in (panel["gridPos"] for panel in panels)
             for x in range(place["x"], place["x"] + place["w"])
             for y in range(place["y"], place["y"] + place["h"])]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
