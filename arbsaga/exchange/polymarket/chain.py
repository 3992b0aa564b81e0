"""JSON-RPC of the chain, as far as a wallet without a relayer needs it: allowances, balances, approvals.

Splits, merges, redeems and conversions are not simulated: such a transaction is mined and reverted. Payouts need no
redeem, the exchange pays winners at once.
"""

from collections.abc import Callable
from typing import Any, cast

import rlp  # type: ignore[import-untyped]  # ships no types
from aiohttp import web
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_account import Account as EthAccount
from eth_hash.auto import keccak

from arbsaga.exchange.ids import CHAIN
from arbsaga.exchange.model import UNLIMITED
from arbsaga.exchange.polymarket.data import PUSD
from arbsaga.exchange.polymarket.replies import reply
from arbsaga.exchange.polymarket.shapes import Json
from arbsaga.exchange.polymarket.signatures import checksum
from arbsaga.exchange.polymarket.venue import Venue, json_of

GAS_PRICE = 30_000_000_000
GAS = 60_000
REVERTED = {"code": 3, "message": "execution reverted"}


def _selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]


_APPROVE = _selector("approve(address,uint256)")
_APPROVE_ALL = _selector("setApprovalForAll(address,bool)")
_ALLOWANCE = _selector("allowance(address,address)")
_IS_APPROVED = _selector("isApprovedForAll(address,address)")
_CASH_OF = _selector("balanceOf(address)")
_SHARES_OF = _selector("balanceOf(address,uint256)")
_SHARES_OF_MANY = _selector("balanceOfBatch(address[],uint256[])")


class _Reverted(Exception):
    """The call or transaction is none that this chain knows."""


class Chain:
    """The state of the chain that is not the engine's: nonces and receipts. Blocks are seconds of the clock."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._nonces: dict[str, int] = {}
        self._receipts: dict[str, Json] = {}
        self._methods: dict[str, Callable[[list[Any]], object]] = {
            "eth_chainId": lambda _: hex(CHAIN),
            "eth_gasPrice": lambda _: hex(GAS_PRICE),
            "eth_estimateGas": lambda _: hex(GAS),
            "eth_blockNumber": lambda _: hex(self._now()),
            "eth_getBlockByNumber": lambda _: {"number": hex(self._now()), "timestamp": hex(self._now())},
            "eth_getTransactionCount": lambda given: hex(self._nonces.get(checksum(given[0]), 0)),
            "eth_getTransactionReceipt": lambda given: self._receipts.get(given[0]),
            "eth_sendRawTransaction": lambda given: self._send(bytes.fromhex(given[0][2:])),
            "eth_call": lambda given: self._call(bytes.fromhex(given[0]["data"][2:])),
        }

    async def serve(self, request: web.Request) -> web.Response:
        """POST /rpc: one call, or an array of them."""
        body = await json_of(request)
        if isinstance(body, list):
            return reply([self._one(entry) for entry in body])
        return reply(self._one(body))

    def _one(self, entry: object) -> Json:
        call = cast(dict[str, Any], entry) if isinstance(entry, dict) else {}
        answer: Json = {"jsonrpc": "2.0", "id": call.get("id")}
        method = self._methods.get(str(call.get("method")))
        if method is None:
            return answer | {"error": {"code": -32601, "message": "the method does not exist"}}
        try:
            return answer | {"result": method(call.get("params") or [])}
        except _Reverted:
            return answer | {"error": REVERTED}
        except (LookupError, TypeError, ValueError, DecodingError, rlp.RLPException):
            return answer | {"error": {"code": -32602, "message": "invalid argument"}}

    def _now(self) -> int:
        return self._venue.clock() // 1000

    def _call(self, data: bytes) -> str:
        """A read. Raises _Reverted for one that is not known."""
        selector, arguments = data[:4], data[4:]
        if selector in (_ALLOWANCE, _IS_APPROVED):
            owner, spender = decode(["address", "address"], arguments)
            amount = self._allowance(checksum(owner), checksum(spender))
            return _hex(amount if selector == _ALLOWANCE else int(amount > 0))
        if selector == _CASH_OF:
            account = self._venue.engine.account(checksum(decode(["address"], arguments)[0]))
            return _hex(account.cash if account is not None else 0)
        if selector == _SHARES_OF:
            owner, token = decode(["address", "uint256"], arguments)
            return _hex(self._shares(owner, token))
        if selector == _SHARES_OF_MANY:
            owners, tokens = decode(["address[]", "uint256[]"], arguments)
            held = [self._shares(owner, token) for owner, token in zip(owners, tokens, strict=True)]
            return "0x" + encode(["uint256[]"], [held]).hex()
        raise _Reverted

    def _shares(self, owner: str, token: int) -> int:
        account = self._venue.engine.account(checksum(owner))
        return account.balance(str(token)) if account is not None else 0

    def _allowance(self, owner: str, spender: str) -> int:
        account = self._venue.engine.account(owner)
        return account.allowances.get(spender, UNLIMITED) if account is not None else 0

    def _send(self, raw: bytes) -> str:
        """Mines a transaction at once. Only legacy ones (as the official client sends) are known."""
        sender = checksum(EthAccount.recover_transaction(raw))
        fields = cast(list[bytes], rlp.decode(raw))
        nonce, to, data = int.from_bytes(fields[0]), checksum(fields[3].hex()), fields[5]
        if nonce != self._nonces.get(sender, 0):
            raise ValueError("nonce")
        self._nonces[sender] = nonce + 1
        transaction = "0x" + keccak(raw).hex()
        self._receipts[transaction] = {
            "transactionHash": transaction,
            "status": hex(self._approve(sender, to, data)),
            "blockNumber": hex(self._now()),
            "from": sender,
            "to": to,
        }
        return transaction

    def _approve(self, sender: str, to: str, data: bytes) -> bool:
        """Whether the transaction was an approval, which then holds."""
        if data[:4] == _APPROVE and to == PUSD:
            spender, amount = decode(["address", "uint256"], data[4:])
            self._venue.engine.set_allowance(sender, checksum(spender), amount)
            return True
        return data[:4] == _APPROVE_ALL


def _hex(value: int) -> str:
    return f"0x{value:064x}"
