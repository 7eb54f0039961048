// Programs of the kernel: what they are, which run at a cgroup, running one.

import { beforeAll, expect, test } from "bun:test";
import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { attachCgroup, isNotFound, openObject, possibleCpus, programInfo, queryCgroup, runProgram } from "./mod.ts";
import { describeAsRoot, errorOf, objectBytes, openFds, temporaryCgroup } from "./test/support.ts";

function loaded(name: string) {
	const object = openObject(objectBytes(name), { name });
	object.load();
	return object;
}

// The library opens itself once; it shall not count.
beforeAll(() => {
	possibleCpus();
});

describeAsRoot("programInfo()", () => {
	test("tells of a program by its file descriptor and by its id", () => {
		using object = loaded("sock");
		const fd = object.programs.get("connect_first")?.fd ?? -1;
		const info = programInfo({ fd });
		expect(info.name).toBe("connect_first");
		expect(info.type).toBe("cgroup_sock_addr");
		expect(info.tag).toMatch(/^[0-9a-f]{16}$/);
		expect(programInfo({ id: info.id })).toEqual(info);
	});

	test("gives the same tag to the same instructions only", () => {
		using one = loaded("sock");
		using two = loaded("sock");
		const tag = (object: typeof one, name: string) => programInfo({ fd: object.programs.get(name)?.fd ?? -1 }).tag;
		expect(tag(one, "connect_first")).not.toBe(tag(one, "connect_second"));
		// Maps' addresses are not part of it.
		expect(tag(one, "connect_first")).toBe(tag(two, "connect_first"));
	});

	test("throws ENOENT for an id that nobody has, and leaks nothing", () => {
		const before = openFds();
		const error = errorOf(() => programInfo({ id: 0x7fff_fff0 }));
		expect(isNotFound(error)).toBe(true);
		expect(error.message).toBe("Cannot open program 2147483632: ENOENT");
		expect(openFds()).toBe(before);
	});
});

describeAsRoot("queryCgroup()", () => {
	test("knows what runs there because of the cgroups above", () => {
		using object = loaded("sock");
		using cgroup = temporaryCgroup();
		const child = join(cgroup.path, "child");
		mkdirSync(child);
		try {
			using link = attachCgroup(object.programs.get("sendmsg")?.fd ?? -1, cgroup.path, "cgroup_udp4_sendmsg");
			const expected = { programId: link.info.programId, name: "sendmsg" };
			expect(queryCgroup(cgroup.path, "cgroup_udp4_sendmsg")).toEqual([expected]);
			expect(queryCgroup(child, "cgroup_udp4_sendmsg")).toEqual([]);
			const effective = queryCgroup(child, "cgroup_udp4_sendmsg", { effective: true });
			expect(effective).toContainEqual(expected);
			expect(queryCgroup(child, "cgroup_udp6_sendmsg", { effective: true }).map(({ name }) => name)).not.toContain(
				"sendmsg",
			);
		} finally {
			rmdirSync(child);
		}
	});

	test("lists more programs than one cgroup may have", () => {
		using object = loaded("sock");
		using cgroup = temporaryCgroup();
		const child = join(cgroup.path, "child");
		mkdirSync(child);
		const fd = object.programs.get("sendmsg")?.fd ?? -1;
		using links = new DisposableStack();
		try {
			// BPF_CGROUP_MAX_PROGS is 64.
			for (let index = 0; index < 60; index++) {
				links.use(attachCgroup(fd, cgroup.path, "cgroup_udp4_sendmsg"));
				links.use(attachCgroup(fd, child, "cgroup_udp4_sendmsg"));
			}
			const effective = queryCgroup(child, "cgroup_udp4_sendmsg", { effective: true });
			expect(effective.filter(({ name }) => name === "sendmsg")).toHaveLength(120);
		} finally {
			rmdirSync(child);
		}
	});

	test("says what is wrong with a path", () => {
		expect(errorOf(() => queryCgroup("/no/such", "cgroup_udp4_sendmsg")).message).toBe(
			"Cannot query cgroup_udp4_sendmsg of /no/such: ENOENT",
		);
		expect(errorOf(() => queryCgroup("/tmp", "cgroup_udp4_sendmsg")).message).toContain(
			"EBADF (not a directory of cgroup v2)",
		);
	});
});

describeAsRoot("runProgram()", () => {
	test("gives back the context as the program left it", () => {
		using object = loaded("ring");
		const context = new BigUint64Array([1n, 5n]);
		const { returned } = runProgram(object.programs.get("generate")?.fd ?? -1, {
			context: new Uint8Array(context.buffer),
		});
		expect(returned).toBe(0);
		expect(context[0]).toBe(6n);
	});

	test("throws for a type that cannot be run so", () => {
		using object = loaded("sock");
		const error = errorOf(() => runProgram(object.programs.get("sendmsg")?.fd ?? -1));
		expect(error.call).toBe("bpf_prog_test_run_opts");
		expect(error.code).toBe("ENOTSUPP");
	});
});
