"""Reading a load test's export, and where the knee is."""

import csv
import json

import pytest
from benchmarks.load.report import Point, highest_sustained, knee, read_point, write_csv


def point(level, audio_s_per_s, p50_ms, *, mode="concurrency", offered=1.0, errors=0):
    return Point(mode, level, 10, errors, offered, audio_s_per_s / 10, audio_s_per_s, p50_ms, p50_ms, p50_ms)


def test_the_knee_is_where_throughput_stops_growing():
    """Linear up to 4 in flight at equal latency, then latency alone."""
    points = [point(n, 10 * min(n, 4), 100 * max(1, n / 4)) for n in (1, 2, 4, 8, 16)]
    assert knee(points).level == 4
    assert knee(points[::-1]).level == 4


def test_where_load_buys_nothing_the_least_is_the_knee():
    assert knee([point(n, 10, 100 * n) for n in (1, 2, 4)]).level == 1
    assert knee([point(3, 10, 100)]).level == 3


def test_a_rate_with_errors_or_a_backlog_is_not_sustained():
    good = point(2, 20, 100, mode="request_rate", offered=2.1)
    behind = point(4, 20, 100, mode="request_rate", offered=4.0)
    refused = point(3, 30, 100, mode="request_rate", offered=3.0, errors=1)
    assert highest_sustained([good, behind, refused]) is good
    assert highest_sustained([behind]) is None


def answer(sent_s, took_s, envelope):
    result = list(json.dumps(envelope).encode())
    return {
        "timestamp": int(sent_s * 1e9),
        "response_timestamps": [int((sent_s + took_s) * 1e9)],
        "response_outputs": [{"RESULT": result}],
    }


def test_refusals_are_counted_and_left_out():
    requests = [
        answer(100.0, 1.0, {"ok": {"duration": 6.0}}),
        answer(101.0, 3.0, {"ok": {"duration": 10.0}}),
        answer(102.0, 0.01, {"error": {"code": "RESOURCE_EXHAUSTED"}}),
    ]
    got = read_point({"experiments": [{"requests": requests}]}, "concurrency", 2)
    assert (got.requests, got.errors) == (2, 1)
    assert got.throughput_rps == pytest.approx(2 / 4)
    assert got.audio_s_per_s == pytest.approx(16 / 4)
    assert got.offered_rps == pytest.approx(1.0)
    assert got.p50_ms == pytest.approx(2000)


def test_the_table_of_points_can_be_read_back(tmp_path):
    write_csv(tmp_path / "load.csv", [point(1, 10, 100), point(2, 20, 123.4567)])
    with (tmp_path / "load.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["level"] for row in rows] == ["1", "2"]
    assert rows[1]["p50_ms"] == "123.457"
