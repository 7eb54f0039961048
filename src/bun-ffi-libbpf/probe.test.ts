// Probes against the running kernel.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { errnoNumber, kernelVersion, libbpfVersion, probeHelper, probeMapType, probeProgramType } from "./mod.ts";
import { describeAsRoot, errorOf, openFds } from "./test/support.ts";

const MAP_LOOKUP_ELEM = 1;
const OVERRIDE_RETURN = 58;
const SET_RETVAL = 187;

test("kernelVersion() is the running kernel's", () => {
	const { major, minor, patch } = kernelVersion();
	expect(readFileSync("/proc/sys/kernel/osrelease", "utf8")).toStartWith(`${major}.${minor}.${patch}`);
	expect(major).toBeGreaterThan(3);
});

test("libbpfVersion() is 1.1 or later", () => {
	expect(libbpfVersion()).toMatch(/^1\.[1-9]\d*$/);
});

describeAsRoot("probes", () => {
	test("know what this kernel has, and leak nothing", () => {
		probeMapType("hash");
		const before = openFds();
		expect(probeProgramType("cgroup_sock_addr")).toBe(true);
		expect(probeMapType("hash")).toBe(true);
		expect(probeMapType("sk_storage")).toBe(true);
		expect(probeHelper("cgroup_sock_addr", MAP_LOOKUP_ELEM)).toBe(true);
		expect(openFds()).toBe(before);
	});

	test("know what this kernel has not", () => {
		// Helper of kprobes only
		expect(probeHelper("cgroup_sock_addr", OVERRIDE_RETURN)).toBe(false);
		expect(probeHelper("cgroup_sock_addr", 60_000)).toBe(false);
		// set_retval: not where a refusal would have no meaning
		expect(probeHelper("cgroup_sock_addr", SET_RETVAL, "cgroup_inet6_connect")).toBe(true);
		expect(probeHelper("cgroup_sock_addr", SET_RETVAL, "cgroup_inet4_getpeername")).toBe(false);
		expect(probeHelper(JSON.parse('"type 4000"'), MAP_LOOKUP_ELEM)).toBe(false);
		expect(errorOf(() => probeMapType(JSON.parse('"type 4000"'))).errno).toBe(errnoNumber("EOPNOTSUPP"));
	});

	test("say which types cannot be probed", () => {
		for (const type of ["tracing", "ext", "lsm", "struct_ops"] as const) {
			const message = "EOPNOTSUPP (such programs need more than a type)";
			expect(errorOf(() => probeHelper(type, MAP_LOOKUP_ELEM)).message).toBe(
				`Cannot probe helper 1 of ${type}: ${message}`,
			);
			expect(errorOf(() => probeProgramType(type)).message).toBe(`Cannot probe program type ${type}: ${message}`);
		}
	});
});
