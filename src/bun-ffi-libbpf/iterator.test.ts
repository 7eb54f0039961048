// Iterators over a map's sockets and a map's elements, in the real kernel.

import { beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { attachCgroup, openIterator, openObject, openSockDiag, possibleCpus } from "./mod.ts";
import { connectedSocket, describeAsRoot, errorOf, objectBytes, openFds, temporaryCgroup } from "./test/support.ts";

// The library opens itself once; it shall not count.
beforeAll(() => {
	possibleCpus();
});

/** This process is in the cgroup until disposed. */
function inCgroup(path: string): Disposable {
	const before = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
	const enter = (folder: string) => writeFileSync(join(folder, "cgroup.procs"), String(process.pid));
	enter(path);
	return { [Symbol.dispose]: () => enter(join(dirname(path), before)) };
}

function iterObject() {
	const object = openObject(objectBytes("iter"), { name: "iter" });
	object.load();
	const [note, see] = [object.programs.get("note"), object.programs.get("see")];
	const [notes, seen] = [object.maps.get("notes"), object.maps.get("seen")];
	if (!note || !see || !notes || !seen) throw new Error("iter.bpf.c has other names");
	return { note, see, notes, seen, [Symbol.dispose]: () => object.close() };
}

describeAsRoot("openIterator()", () => {
	test("goes through the sockets that have storage in a map, at each run anew", async () => {
		using cgroup = temporaryCgroup();
		using object = iterObject();
		using _link = attachCgroup(object.note.fd, cgroup.path, "cgroup_inet4_connect");
		using iterator = openIterator(object.see.fd, { mapFd: object.notes.fd });
		using seen = object.seen.open();
		const cookies = () =>
			[...seen.entries()].map(([key]) => new DataView(key.buffer, key.byteOffset).getBigUint64(0, true));
		expect(iterator.run()).toHaveLength(0);
		expect(cookies()).toEqual([]);
		using _inside = inCgroup(cgroup.path);
		using _one = await connectedSocket("udp4", "127.0.0.1", 9);
		iterator.run();
		expect(cookies()).toHaveLength(1);
		using _two = await connectedSocket("udp4", "127.0.0.1", 9);
		iterator.run();
		using diag = openSockDiag();
		const destinations = [{ ip: new Uint8Array([127, 0, 0, 1]), port: 9 }];
		const listed = diag.list({ family: "IPv4", protocol: "udp", states: ["established"], destinations });
		expect(cookies().sort()).toEqual(listed.map(({ cookie }) => cookie).sort());
		expect(listed).toHaveLength(2);
	});

	test("returns all that the program wrote, more than one read() takes", () => {
		using object = openObject(objectBytes("iter_write"), { name: "iter" });
		object.load();
		const [list, numbers] = [object.programs.get("list"), object.maps.get("numbers")];
		if (!list || !numbers) throw new Error("iter_write.bpf.c has other names");
		using iterator = openIterator(list.fd, { mapFd: numbers.fd });
		for (let run = 0; run < 2; run++) {
			const words = new BigUint64Array(iterator.run().buffer);
			expect(words.length).toBe(20_000);
			expect([words[0], words[1], words[19_999]]).toEqual([0n, 1n, 19_999n]);
		}
	});

	test("throws for what is no iterator, lacks its map, or is closed, and leaves no file descriptor", () => {
		using object = iterObject();
		const before = openFds();
		expect(errorOf(() => openIterator(object.note.fd)).message).toBe(
			"Cannot attach an iterator: EINVAL (it is no iterator, or is about a map, and none that fits is given)",
		);
		expect(errorOf(() => openIterator(object.see.fd)).code).toBe("EBADF");
		expect(errorOf(() => openIterator(object.see.fd, { mapFd: object.seen.fd })).code).toBe("EINVAL");
		const iterator = openIterator(object.see.fd, { mapFd: object.notes.fd });
		iterator.run();
		iterator.close();
		iterator.close();
		expect(errorOf(() => iterator.run()).message).toBe("Cannot use the iterator: EBADF (it was closed)");
		expect(openFds()).toBe(before);
	});
});
