"""The promises of an engine for runs: claims, tokens, leases, cancellation and the end."""

# ruff: noqa: S101  # a test suite: it asserts, and the names of its tests are sentences

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from stream_adapter.engines import Frame, History, Position, RunState
from stream_adapter.engines._together import renew_many
from stream_adapter.errors import FencedError

from ._engine_setup import EngineSetup, RecordingReceiver, payloads_of, raises

__all__ = ["RunPromises"]


class RunPromises(EngineSetup):
    """The tests of `claim`, `renew`, `finish`, `cancel` and `run_state`."""

    def test_claim_begins_one_run(self) -> None:
        if not self.carries_runs:
            return

        def claim(_: int) -> RunState:
            return self.engine.claim(self.channel, lease=15, retain=60)

        with ThreadPoolExecutor(8) as pool:
            claims = list(pool.map(claim, range(20)))
        assert sum(claim.granted for claim in claims) == 1
        assert len({(claim.epoch, claim.token) for claim in claims}) == 1
        assert {claim.status for claim in claims} == {"running"}

    def test_run_appends_by_its_token_and_is_not_trimmed(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)
        short = History(count=5, age=1)
        for n in range(50):
            self.engine.append_many(self.channel, [Frame(b"%d" % n)], history=short, token=run.token)
        self.advance(10)
        page = self.engine.read(self.channel, 0, 1000)
        assert (page.epoch, page.earliest, page.top) == (run.epoch, 1, 50)
        assert len(page.entries) == 50

    def test_run_s_frame_whose_offset_is_there_is_not_stored_again(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)

        def append(*numbers: int) -> list[Position]:
            frames = [Frame(b"%d" % number, f"{run.epoch}.{number}") for number in numbers]
            return self.engine.append_many(self.channel, frames, history=History(), token=run.token)

        assert append(1, 2) == append(1, 2) == [Position(run.epoch, 1), Position(run.epoch, 2)]
        append(3)
        assert append(2, 3, 4)[-1] == Position(run.epoch, 4)  # of a late attempt
        page = self.engine.read(self.channel, 0, 10)
        assert [entry.payload for entry in page.entries] == [b"1", b"2", b"3", b"4"]

    def test_run_s_last_frame_whose_offset_is_there_is_not_stored_again(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)
        frames = [Frame(b"%d" % number, f"{run.epoch}.{number}") for number in (1, 2)]
        self.engine.append_many(self.channel, frames[:1], history=History(), token=run.token)  # its answer was lost
        self.engine.finish(self.channel, run.token, "done", [*frames, Frame(b"end")])
        assert payloads_of(self.engine.read(self.channel, 0, 10)) == [b"1", b"2", b"end"]

    def test_stale_token_is_refused_by_every_method(self) -> None:
        if not self.carries_runs:
            return
        old = self.engine.claim(self.channel, lease=15, retain=600)
        self.advance(20)
        assert self.engine.finish(self.channel, old.token, "lost").status == "lost"
        new = self.engine.claim(self.channel, lease=15, retain=600, restart=True)
        assert new.granted
        assert new.token > old.token
        assert new.epoch != old.epoch
        append = self.engine.append_many
        raises(FencedError, lambda: append(self.channel, [Frame(b"x")], history=History(), token=old.token))
        raises(FencedError, lambda: self.engine.renew(self.channel, old.token, lease=15))
        raises(FencedError, lambda: self.engine.finish(self.channel, old.token, "done", [Frame(b"x")]))
        assert self.engine.read(self.channel, 0, 10).entries == ()

    def test_run_ends_with_its_last_frames_and_takes_no_more(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)
        done = self.engine.finish(self.channel, run.token, "done", [Frame(b"last"), Frame(b"end")])
        assert (done.status, done.epoch) == ("done", run.epoch)
        assert payloads_of(self.engine.read(self.channel, 0, 10)) == [b"last", b"end"]
        append = self.engine.append_many
        raises(FencedError, lambda: append(self.channel, [Frame(b"x")], history=History(), token=run.token))
        again = self.engine.claim(self.channel, lease=15, retain=60)
        assert (again.granted, again.status, again.epoch) == (False, "done", run.epoch)

    def test_lease_that_has_ended_is_lost_to_the_first_who_says_so(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)
        self.advance(10)
        self.engine.renew(self.channel, run.token, lease=15)
        self.advance(10)
        early = self.engine.finish(self.channel, run.token, "lost", [Frame(b"lost")])
        assert early.status == "running"
        assert self.engine.claim(self.channel, lease=15, retain=60).granted is False
        self.advance(10)
        assert self.engine.finish(self.channel, run.token, "lost", [Frame(b"lost")]).status == "lost"
        raises(FencedError, lambda: self.engine.finish(self.channel, run.token, "lost", [Frame(b"lost")]))
        assert payloads_of(self.engine.read(self.channel, 0, 10)) == [b"lost"]

    def test_cancel_is_seen_when_the_lease_is_renewed_and_never_by_another_run(self) -> None:
        if not self.carries_runs:
            return
        assert self.engine.cancel(self.channel, "none") is None
        run = self.engine.claim(self.channel, lease=15, retain=60)
        self.engine.cancel(self.channel, f"{run.epoch}x")
        assert self.engine.renew(self.channel, run.token, lease=15).cancelled is False
        self.engine.cancel(self.channel, run.epoch)
        assert self.engine.renew(self.channel, run.token, lease=15).cancelled is True
        self.engine.finish(self.channel, run.token, "cancelled")
        new = self.engine.claim(self.channel, lease=15, retain=60, restart=True)
        self.engine.cancel(self.channel, run.epoch)
        assert self.engine.renew(self.channel, new.token, lease=15).cancelled is False

    def test_many_leases_are_renewed_together_and_each_has_its_answer(self) -> None:
        if not self.carries_runs:
            return
        channels = [f"{self.channel}{n}" for n in (3, 1, 2, 0)]
        runs = [self.engine.claim(channel, lease=15, retain=60) for channel in channels]
        self.engine.cancel(channels[1], runs[1].epoch)
        renewals = [(channel, run.token, 15) for channel, run in zip(channels, runs, strict=True)]
        self.advance(10)
        found = renew_many(self.engine, renewals)
        assert [isinstance(state, RunState) and (state.epoch, state.cancelled) for state in found] == [
            (run.epoch, run is runs[1]) for run in runs
        ]
        self.advance(10)
        self.engine.finish(channels[2], runs[2].token, "done")
        found = renew_many(self.engine, renewals)
        assert [type(state) for state in found] == [RunState, RunState, FencedError, RunState]
        self.advance(10)
        assert self.engine.finish(channels[3], runs[3].token, "lost").status == "running"

    def test_cancel_and_finish_are_reported_to_watchers(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)
        receiver = RecordingReceiver(self.engine)
        self.engine.watch(self.channel)
        self.engine.cancel(self.channel, run.epoch)
        receiver.wait_for_change(self.channel)
        self.engine.finish(self.channel, run.token, "cancelled", [Frame(b"end")])
        assert receiver.wait_for(self.channel, 1) == [b"end"]

    def test_ended_run_is_kept_for_a_while_and_then_forgotten(self) -> None:
        if not self.carries_runs:
            return
        assert self.engine.run_state(self.channel) is None
        run = self.engine.claim(self.channel, lease=15, retain=60)
        self.engine.finish(self.channel, run.token, "done", [Frame(b"end")])
        self.advance(50)
        kept = self.engine.run_state(self.channel)
        assert kept is not None
        assert kept.status == "done"
        self.advance(20)
        assert self.engine.run_state(self.channel) is None
        assert self.engine.read(self.channel, 0, 10).entries == ()
        new = self.engine.claim(self.channel, lease=15, retain=60)
        assert new.granted
        assert new.epoch != run.epoch

    def test_ended_run_is_kept_for_days_if_that_was_asked(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=7 * 86400)
        self.engine.append_many(self.channel, [Frame(b"item")], history=History(), token=run.token)
        self.engine.finish(self.channel, run.token, "done", [Frame(b"end")])
        for _ in range(3):
            self.advance(2 * 86400)
            self.append(b"another", channel=f"{self.channel}-other")  # what is past its time is looked for then
        assert payloads_of(self.engine.read(self.channel, 0, 10)) == [b"item", b"end"]
        state = self.engine.run_state(self.channel)
        assert state is not None
        assert state.status == "done"
