"""A result is held against every bar, and a configuration has as many endpoints as wanted."""

from dataclasses import replace
from pathlib import Path

import pytest

from router.configuration.settings import load_settings
from tests.parts.attacks.edge_process import Layout, configuration
from tests.parts.attacks.measure import Footprint, Result
from tests.parts.attacks.report import failures
from tests.parts.attacks.traffic import Traffic

_CALM = Traffic([(200, 0.050)] * 400)
_GOOD = Result("any", _CALM, _CALM, Footprint(80, peak=90, after=81))


def test_result_within_every_bar_misses_nothing() -> None:
    assert failures(_GOOD) == []


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"quiet": Traffic([(200, 0.050)] * 98 + [(503, 0.050)] * 2)}, ["quiet"]),
        ({"attacked": Traffic([(200, 0.050)] * 98 + [(503, 0.050)] * 2)}, ["share"]),
        ({"attacked": Traffic([(200, 0.050)] * 98 + [(0, 0.050)] * 2)}, ["share"]),
        ({"alive": False}, ["share"]),
        ({"attacked": Traffic([(200, 0.050)] * 98 + [(200, 0.151)] * 2)}, ["p99"]),
        ({"footprint": Footprint(80, peak=121)}, ["memory"]),
        ({"attacker": {"opened": 2, "sent_bytes": 100 * 1024 * 1024}}, ["bytes"]),
    ],
)
def test_result_names_the_bar_it_misses(changed: dict[str, object], missed: list[str]) -> None:
    assert failures(replace(_GOOD, **changed)) == missed  # type: ignore[arg-type]


@pytest.mark.parametrize(("quiet", "attacked"), [(0.001, 0.099), (0.5, 1.5)])
def test_latency_below_100_ms_or_within_three_times_the_quiet_run_is_enough(
    quiet: float, attacked: float
) -> None:
    pair = Traffic([(200, quiet)] * 400), Traffic([(200, attacked)] * 400)

    assert failures(replace(_GOOD, quiet=pair[0], attacked=pair[1])) == []


def test_quantile_is_by_nearest_rank() -> None:
    traffic = Traffic([(200, milliseconds / 1000) for milliseconds in range(1, 101)])

    assert traffic.milliseconds(0.99) == pytest.approx(99)
    assert traffic.milliseconds(0.5) == pytest.approx(50)


def test_configuration_has_as_many_endpoints_as_wanted(tmp_path: Path) -> None:
    path = tmp_path / "payrouter.toml"
    layout = Layout("127.0.0.1:1", "p.", endpoints=1000, tls=True)
    path.write_text(configuration(layout, (1, 2)), encoding="utf-8")

    settings = load_settings(path, {})

    assert len(settings.endpoints) == 1000
    assert settings.edge.tls_certificate is not None
