// One bit for each hash of an address, spread over all bits for the addresses that clusters have.

import { expect, test } from "bun:test";
import { l4 } from "../../test/support/plans.ts";
import { addressHash } from "./address_filter.ts";
import { encodeFrontendKey } from "./codec.ts";

function hashes(addresses: readonly string[]): number {
	return new Set(addresses.map((each) => addressHash(encodeFrontendKey(l4(each))))).size;
}

test.each([
	["IPv4 Services side by side", (index: number) => `10.96.${index >> 8}.${index & 255}:80/TCP`],
	["IPv4 nodes in many networks", (index: number) => `10.${index >> 8}.${index & 255}.1:80/TCP`],
	["IPv6 Services side by side", (index: number) => `[fd00:10:96::${index.toString(16)}]:80/TCP`],
	["IPv6 nodes in many networks", (index: number) => `[2001:db8:0:${index.toString(16)}::1]:80/TCP`],
])("addressHash() tells %s apart", (_, addressOf) => {
	const distinct = hashes(Array.from({ length: 10_000 }, (_, index) => addressOf(index)));
	// Thrown at random, 10,000 of 262,144 leave some 9,810.
	expect(distinct).toBeGreaterThan(9_600);
});

test("addressHash() looks at the address alone", () => {
	expect(hashes(["10.96.0.1:80/TCP", "10.96.0.1:53/UDP"])).toBe(1);
});
