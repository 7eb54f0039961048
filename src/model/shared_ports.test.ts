// Lists of ports that are the same are one; those that are not stay what they are.

import { expect, test } from "bun:test";
import { parsePort } from "./address.ts";
import type { ServicePort } from "./cluster.ts";
import { sharePorts } from "./shared_ports.ts";

function port(number: number): ServicePort["port"] {
	return parsePort(number) ?? expect.unreachable();
}

const WEB = { name: "web", port: port(80), protocol: "TCP" } as const;
const DNS = { name: "", port: port(53), protocol: "UDP" } as const;

test.each<readonly [string, readonly ServicePort[]]>([
	["none", []],
	["one", [WEB]],
	["two", [WEB, DNS]],
	["two in another order", [DNS, WEB]],
	["another protocol", [{ ...WEB, protocol: "UDP" }]],
	["another number", [{ ...WEB, port: port(8) }]],
	["another name", [{ ...WEB, name: "we" }]],
	["a name and a number that are the other's together", [{ ...WEB, name: "web/8", port: port(80) }]],
])("sharePorts() gives one value for equal lists of %s", (_, ports) => {
	const [one, other] = [sharePorts(ports), sharePorts(ports.map((each) => ({ ...each })))];
	expect(other).toBe(one);
	expect(one).toEqual(ports);
});

test("sharePorts() leaves lists with node ports alone", () => {
	const ports = [WEB, { ...DNS, nodePort: port(30053) }];
	expect(sharePorts(ports)).toBe(ports);
	expect(sharePorts([WEB])).not.toBe(ports);
});

test("sharePorts() is right when it has begun anew", () => {
	for (let number = 1; number <= 6000; number++) {
		const ports = [{ ...WEB, port: port(number) }];
		expect(sharePorts(ports)).toEqual(ports);
	}
	expect(sharePorts([WEB])).toEqual([WEB]);
});
