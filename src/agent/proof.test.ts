// What the canaries' answers prove. Whether real programs give them, test/kernel says.

import { describe, expect, test } from "bun:test";
import { recordingLog } from "../../test/support/log.ts";
import { createProof } from "./proof.ts";

const ECONNREFUSED = 111;
const EAFNOSUPPORT = 97;
const ENETUNREACH = 101;

/** A host whose connects give these errnos. */
function host({ v4, v6 }: { readonly v4: number; readonly v6: number }) {
	const answers = { v4, v6 };
	const tried: (readonly [bytes: number, port: number, cgroup: unknown])[] = [];
	const log = recordingLog();
	const proof = createProof({
		cgroup: "/c",
		log,
		connect(ip, port, options) {
			tried.push([ip.length, port, options?.cgroup]);
			return ip.length === 4 ? answers.v4 : answers.v6;
		},
	});
	return { proof, log, tried, answers };
}

describe("createProof()", () => {
	test("has proved nothing before it tried", () => {
		const { proof, tried } = host({ v4: ECONNREFUSED, v6: ECONNREFUSED });
		expect([proof.proved, proof.reason, tried]).toEqual([false, "not tried yet", []]);
	});

	test("connects by an IPv4 socket and by an IPv6 one, in the cgroup", () => {
		const { proof, tried, log } = host({ v4: ECONNREFUSED, v6: ECONNREFUSED });
		expect(proof.prove()).toBe(true);
		expect(tried).toEqual([
			[4, 5810, "/c"],
			[16, 5810, "/c"],
		]);
		expect([proof.proved, proof.reason]).toEqual([true, null]);
		expect(log.messages()).toEqual(["info Attachment proved"]);
	});

	test.each([
		[{ v4: 0, v6: ECONNREFUSED }, "the canary connect to 192.0.0.8:5810/UDP succeeded instead of ECONNREFUSED"],
		[{ v4: ENETUNREACH, v6: ECONNREFUSED }, "the canary connect to 192.0.0.8:5810/UDP gave ENETUNREACH instead of"],
		[{ v4: ECONNREFUSED, v6: 0 }, "the canary connect to [100::ba1a]:5810/UDP succeeded instead of ECONNREFUSED"],
		[{ v4: EAFNOSUPPORT, v6: ECONNREFUSED }, "the canary connect to 192.0.0.8:5810/UDP gave EAFNOSUPPORT instead of"],
	])("is not satisfied by %j", (answers, reason) => {
		const { proof, log } = host(answers);
		expect(proof.prove()).toBe(false);
		expect(proof.reason).toStartWith(reason);
		expect(log.messages()).toEqual(["warn Attachment not proved: connections may go untranslated"]);
	});

	test("is satisfied on a kernel without IPv6", () => {
		expect(host({ v4: ECONNREFUSED, v6: EAFNOSUPPORT }).proof.prove()).toBe(true);
	});

	test("takes a connect that cannot be tried for no proof", () => {
		const log = recordingLog();
		const proof = createProof({
			cgroup: "/c",
			log,
			connect: () => {
				throw new Error("Cannot connect from /c: ENOENT");
			},
		});
		expect(proof.prove()).toBe(false);
		expect(proof.reason).toBe("Cannot connect from /c: ENOENT");
	});

	test("says each change once", () => {
		const { proof, log, answers } = host({ v4: 0, v6: ECONNREFUSED });
		for (let n = 0; n < 3; n++) proof.prove();
		answers.v4 = ECONNREFUSED;
		for (let n = 0; n < 3; n++) proof.prove();
		answers.v6 = 0;
		proof.prove();
		expect(log.messages()).toEqual([
			"warn Attachment not proved: connections may go untranslated",
			"info Attachment proved",
			"warn Attachment not proved: connections may go untranslated",
		]);
	});
});
