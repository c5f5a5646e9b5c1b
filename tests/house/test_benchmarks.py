"""The benchmark: it compares like with like, judges by the bars, and does not measure what is wrong."""

from __future__ import annotations

import importlib

import pytest
from sqlalchemy import inspect

from benchmarks.answers import verify
from benchmarks.bars import BARS, DIALECTS, Results, verdicts
from benchmarks.contenders import COLONNADE, FASTCRUD, GUIDE_B, GUIDE_C, Contender, limit, reference_exists
from benchmarks.data import COLUMNS, PUBLIC, rows, user
from benchmarks.errors import BenchmarkError
from benchmarks.load import request_maker
from benchmarks.peers import User, UserResponse
from benchmarks.report import markdown
from benchmarks.workers import running
from benchmarks.workloads import GET, LIST, PATCH, WORKLOADS, Run


def run_of(rate: float) -> Run:
    """A run of one second at some rate."""
    return Run(requests=int(rate), seconds=1, refused=0, broken=0, p50_ms=1, p99_ms=2)


def results_of(rates: dict[str, float], memory_mib: float | None = None) -> Results:
    """What a run on PostgreSQL gives when each contender has one rate for everything."""
    results = Results("postgresql", memory_mib=memory_mib)
    for name, rate in rates.items():
        for workload in WORKLOADS:
            results.add(name, workload, run_of(rate))
    return results


def test_a_row_is_the_same_every_time() -> None:
    """Seeding twice gives the same users, each with a value for every column."""
    assert list(rows(3)) == list(rows(3))
    assert all(tuple(user(number)) == COLUMNS for number in (1, 20))


def test_the_peers_serve_the_columns_of_the_data() -> None:
    """The peers map exactly the seeded columns and show all of them but the hash."""
    assert set(inspect(User).column_attrs.keys()) == set(COLUMNS)
    assert set(UserResponse.model_fields) == set(PUBLIC)


def test_the_peers_serve_the_table_of_the_reference_application() -> None:
    """Every seeded column is one of the reference application's, so that all can share its table."""
    if reference_exists():
        importlib.import_module("app.models")
        metadata = importlib.import_module("colonnade").Base.metadata
        assert set(COLUMNS) <= set(metadata.tables["users"].columns.keys())


def test_every_bar_names_somebody_who_is_measured() -> None:
    """A bar compares with a contender of its own dialect, on a workload that is run."""
    for (dialect, workload), required in BARS.items():
        present = {one.name for one in (limit(dialect), COLONNADE, GUIDE_C, GUIDE_B, FASTCRUD)}
        assert workload in WORKLOADS
        assert set(required) <= present


def test_a_bar_is_met_from_its_figure_on() -> None:
    """A ratio of exactly the bar is met, one just below is missed."""
    results = results_of({"limit": 1000, "colonnade": 500, "guide_c": 80, "fastcrud": 42})
    met = {verdict.required: verdict.met for verdict in verdicts(results) if verdict.what.endswith("get by id")}
    assert met == {"0.5 of the limit": True, "6 times guide C": True, "12 times FastCRUD": False}


def test_what_signing_in_costs_is_a_bar() -> None:
    """Signed in and limited, six tenths of the throughput without have to be left."""
    results = results_of({"limit": 1000, "colonnade": 500, "signed_in": 300})
    met = {verdict.what: verdict.met for verdict in verdicts(results) if "signed in" in verdict.what}
    assert set(met.values()) == {True}
    worse = results_of({"limit": 1000, "colonnade": 500, "signed_in": 299})
    assert not any(verdict.met for verdict in verdicts(worse) if "signed in" in verdict.what)


def test_who_signs_in_sends_a_token() -> None:
    """The own load generator sends what wrk would send."""
    get = request_maker(GET, 10, 1, "Authorization: Bearer x\r\n")()
    assert get.endswith(b"\r\nAuthorization: Bearer x\r\n\r\n")


@pytest.mark.parametrize(("memory", "met"), [(150.0, True), (150.5, False), (None, False)])
def test_the_memory_of_the_worker_is_a_bar(memory: float | None, met: bool) -> None:
    """The worker may occupy 150 MiB after the run."""
    *_, verdict = verdicts(results_of({}, memory))
    assert verdict.met is met


def test_a_bar_without_colonnade_is_not_measured() -> None:
    """Nothing is said about Colonnade when it did not take part."""
    assert {verdict.measured for verdict in verdicts(results_of({"limit": 1000, "guide_c": 80}))} == {None}


def test_the_median_of_the_rounds_counts() -> None:
    """One slow round does not move a contender's rate."""
    results = Results("sqlite")
    for rate in (900, 1000, 10):
        results.add("limit", GET, run_of(rate))
    assert results.rate("limit", GET) == 900


def test_the_markdown_table_has_a_row_for_each_contender() -> None:
    """The README's table shows rate and ratio, and a dash for who was not there."""
    table = markdown([results_of({"limit": 1000, "guide_c": 80})])
    assert "| guide C: AsyncSession | 80 (0.080) | 80 (0.080) | 80 (0.080) |" in table
    assert "| FastCRUD | - | - | - |" in table
    assert DIALECTS["postgresql"] in table


def test_the_own_load_generator_asks_what_wrk_asks() -> None:
    """Without wrk the same three requests are sent, complete and well framed."""
    get, page, patch = (request_maker(workload, 10, seed=1)() for workload in (GET, LIST, PATCH))
    assert get.startswith(b"GET /api/v1/users/")
    assert b"&limit=20&count=none HTTP/1.1\r\n" in page
    head, body = patch.split(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


def test_a_worker_that_does_not_start_stops_the_benchmark() -> None:
    """What a broken application says is in the error."""
    broken = Contender("broken", "a broken one", "benchmarks.absent:app")
    with pytest.raises(BenchmarkError, match=r"benchmarks\.absent"), running(broken, "sqlite://"):
        pytest.fail("it must not count as started")


def test_a_wrong_answer_stops_the_benchmark() -> None:
    """A server that answers something else than the users is not measured."""
    wrong = Contender("wrong", "a wrong one", "tests.house.wrong_server:app")
    told = pytest.raises(BenchmarkError, match="a wrong one answers wrongly: the fields of a user")
    with running(wrong, "sqlite://") as worker, told:
        verify(worker, "sqlite://")
