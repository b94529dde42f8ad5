"""The product on a database server: tests of the HTTP API, the same ones, with their rows there.

Here stand those that go through each kind of statement once. All of tests/api runs so under
`LINGQIAN_TEST_DATABASE=mariadb`.
"""

import pytest

# ruff: noqa: F401 - what is imported is collected here: tests, and fixtures that they ask for
from api import caller
from api.test_act import test_acts_come_in_pages, test_an_act_is_written_before_and_after
from api.test_money_loop import (
    test_a_gift_shares_what_its_coins_had_cost,
    test_a_packet_paid_over_a_channel_opens_on_evidence,
    test_a_payout_waits_for_the_person_and_arrives,
    test_a_refund_goes_back_under_one_number,
    till,
)
from api.test_packet import (
    test_a_lucky_packet_is_split_among_those_who_open_it,
    test_fifty_taps_at_once_are_one_claim,
    test_what_nobody_took_comes_back,
)
from api.test_payment_password import test_five_tries_then_a_lock_that_grows
from api.test_session import (
    test_a_link_signs_one_device_in_once,
    test_devices_are_listed_and_signed_out,
    test_too_many_devices_make_room,
)
from api.test_statement import (
    test_a_statement_tells_what_every_movement_was_for,
    test_history_tells_sent_and_claimed_apart,
    test_the_csv_adds_up_to_the_ledger_and_runs_nothing,
)
from api.test_webhook import quick, receiver, test_retries_survive_a_restart

pytestmark = pytest.mark.needs("mariadb")


@pytest.fixture(scope="module", autouse=True)
def there():
    """Houses of this module keep their rows on a server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(caller.DATABASE_VARIABLE, "mariadb")
        yield


@pytest.fixture(scope="module")
def house(there, tmp_path_factory):  # noqa: ARG001 - it comes first
    """A running server as a newcomer would start it, but for where its rows are."""
    with caller.running(tmp_path_factory.mktemp("house")) as found:
        assert found.config.database
        yield found


@pytest.fixture(scope="module")
def api(house):
    """Somebody who may do everything."""
    return house.caller()


def test_nothing_lies_in_a_file(house, api):
    """The control: a setting that is not heard would make all of these tests of the file again."""
    api.rich()
    assert not list(house.folder.glob("ledger.db*"))
    rows = house.on_loop(lambda: house.door.reader.execute("SELECT count(*) FROM users").fetchone())
    assert rows[0] > 0
