"""A root key that is gone: its packets cannot be opened, and nothing else is harmed (密钥缺失)."""

import shutil

import pytest

import world
from law import all_laws
from lingqian.compose import Config, Wallet
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Damaged
from lingqian.redpacket.packet import PacketKind
from lingqian.storage.lane import Shell, Writer


class Keyless(world.World):
    """A world in which the seeds of some packets cannot be opened any more."""

    lost = frozenset()

    def open_writer(self):
        """Take every lane; opening a lost seed fails as the vault does."""

        def reveal(packet_id, packet, progress):
            if packet_id in {self.ids[name] for name in self.lost}:
                raise Damaged("sealed bytes name a key that is not in the key folder")
            return world.open_seed(packet_id, packet, progress)

        shell = Shell(self.clock, self.chance, reveal)
        return Writer(self.store, range(self.lane_count), self.policy, shell)


def test_lost_seed_stops_its_own_packet_and_no_neighbour():
    """One packet that cannot be opened must not stop the batch it is asked for in, for ever."""
    here = Keyless()
    here.lost = frozenset({"lost", "lost draw"})
    for name in ("amy", "ben"):
        here.do(here.register(name))
    here.do(here.fund("amy", 100_000))
    due_us = here.clock.us + 60_000_000
    for name in ("lost", "good"):
        assert here.do(here.send(name, "amy")).code == 0
    assert here.do(here.send("lost draw", "amy", PacketKind.DRAW, draw_at_us=due_us)).code == 0
    answers = here.batch(
        here.claim("lost", "ben"), here.claim("good", "ben"), here.transfer("amy", "ben", 5)
    )
    assert [answer.code for answer in answers] == [Code.UNAVAILABLE, Code.OK, Code.OK]
    here.clock.us = due_us
    swept = here.batch(here.draw("lost draw"), here.transfer("amy", "ben", 5))
    assert [answer.code for answer in swept] == [Code.UNAVAILABLE, Code.OK]
    all_laws(here.connection)
    here.lost = frozenset()
    assert here.do(here.claim("lost", "ben")).code == Code.OK, "found again, it opens"
    here.close()


def test_keys_of_another_house_are_refused_at_the_door(tmp_path):
    """With other keys nobody would be found again: everybody would be registered a second time."""
    folder = tmp_path / "data"
    wallet = Wallet(folder, Config())
    (made,) = wallet.intake.ask_many([wallet.desk.register("amy", "Amy", 3)])
    assert made.result(10).code == Code.OK
    wallet.close()
    shutil.move(folder / "keys", tmp_path / "kept")
    with pytest.raises(Damaged, match="Restore the key folder from its backup"):
        Wallet(folder, Config())
    # What was made to look is not left behind, or the right keys would find their place taken.
    assert list((folder / "keys").iterdir()) == []
    (folder / "keys").rmdir()
    shutil.move(tmp_path / "kept", folder / "keys")
    wallet = Wallet(folder, Config())
    (again,) = wallet.intake.ask_many([wallet.desk.register("amy", "Amy", 3)])
    assert again.result(10).first is not None, "the same person is found again"
    wallet.close()
    other = tmp_path / "other"
    Wallet(other, Config()).close()
    shutil.rmtree(folder / "keys")
    shutil.copytree(other / "keys", folder / "keys")
    with pytest.raises(Damaged, match="Restore the key folder from its backup"):
        Wallet(folder, Config())
    assert list((folder / "keys").iterdir()), "keys that somebody put there are his"
