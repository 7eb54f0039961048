// The executable's own code: found in what the kernel says, and given back while it runs.

import { expect, test } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { codeMappings } from "./code_pages.ts";
import { releaseCode } from "./mod.ts";

const MAPS = `00200000-01a39000 r--p 00000000 08:01 1234                               /opt/a program
01a40000-01a50000 r-xp 01838000 08:01 1234                               /opt/a program
01a50000-01a60000 rwxp 01848000 08:01 1234                               /opt/a program
01a60000-01a70000 r-xs 01858000 08:01 1234                               /opt/a program
06867000-071fa000 rw-p 0665e000 08:01 1234                               /opt/a program
7fbc6e92a000-7fbc6e92b000 r-xp 00000000 00:00 0 
7fbcaec95000-7fbcaedeb000 r-xp 00026000 08:01 99                         /usr/lib/libc.so.6
7ffd9fbfc000-7ffd9fbfe000 r-xp 00000000 00:00 0                          [vdso]
ffffffff81000000-ffffffff81001000 r-xp 00001000 08:01 1234               /opt/a program
`;

test.each([
	[
		"/opt/a program",
		[
			{ start: 0x1a40000n, length: 0x10000n },
			{ start: 0xffffffff81000000n, length: 0x1000n },
		],
	],
	["/opt/a", []],
	["/opt/a program (deleted)", []],
	["", []],
])("codeMappings() of %p has only what is private, of this file, run and never written", (file, found) => {
	expect(codeMappings(MAPS, file)).toEqual(found);
});

/** Bytes of the executable's code that are resident. */
function residentCode(): number {
	const file = readlinkSync("/proc/self/exe");
	const of = (name: string) =>
		new RegExp(`^[0-9a-f]+-[0-9a-f]+ r-xp .* ${RegExp.escape(file)}\n(?:.+:.*\n)*?${name}: +(\\d+) kB$`, "m");
	const kilobytes = of("Rss").exec(readFileSync("/proc/self/smaps", "utf8"))?.[1];
	if (kilobytes === undefined) throw new Error("Cannot find the executable's code in /proc/self/smaps");
	return Number(kilobytes) * 1024;
}

test("releaseCode() gives most of it back, and what runs then runs as before", () => {
	const compute = () =>
		JSON.stringify(Array.from({ length: 1000 }, (_, at) => `${Math.sin(at)}`.replace(/\d/, "x")).sort());
	const [result, before] = [compute(), residentCode()];
	expect(releaseCode()).toBeGreaterThan(before);
	expect(residentCode()).toBeLessThan(before);
	expect(compute()).toBe(result);
	for (let count = 0; count < 100; count++) releaseCode();
	expect(compute()).toBe(result);
});
