// Both formats of apt's lists, and whose archives are asked.

import { describe, expect, test } from "bun:test";
import { sourceLines } from "./apt_lists.ts";

const KEY = "/usr/share/keyrings/debian-archive-keyring.gpg";

describe("sourceLines()", () => {
	test.each([
		[
			"a deb822 stanza for each suite",
			"debian.sources",
			`Types: deb\n# a comment\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main contrib\nSigned-By: ${KEY}\n`,
			[
				`deb-src [signed-by=${KEY}] http://mirror.example/debian bookworm main`,
				`deb-src [signed-by=${KEY}] http://mirror.example/debian bookworm-updates main`,
			],
		],
		[
			"several stanzas, and fields that go on",
			"debian.sources",
			"Types: deb deb-src\nURIs:\n http://a.example/debian\n http://b.example/debian-security/\nSuites: trixie\n\nTypes: deb\nURIs: http://c.example/ubuntu\nSuites: noble\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n",
			[
				"deb-src http://a.example/debian trixie main",
				"deb-src http://b.example/debian-security/ trixie main",
				"deb-src http://c.example/ubuntu noble main",
			],
		],
		[
			"a stanza that is switched off",
			"x.sources",
			"Enabled: no\nTypes: deb\nURIs: http://a/debian\nSuites: bookworm\n",
			[],
		],
		[
			"one-line entries",
			"sources.list",
			`# deb http://no.example/debian bookworm main\ndeb http://a.example/debian bookworm main non-free\ndeb [arch=amd64 signed-by=${KEY}] http://a.example/debian-security bookworm-security main # why\ndeb-src http://a.example/debian bookworm main\n`,
			[
				`deb-src [signed-by=${KEY}] http://a.example/debian-security bookworm-security main`,
				"deb-src http://a.example/debian bookworm main",
			],
		],
		[
			"snapshots and caches of the archive",
			"sources.list",
			"deb http://snapshot.debian.org/archive/debian/20250520T000000Z bookworm main\ndeb http://cache:3142/ftp.de.debian.org/debian bookworm main\n",
			[
				"deb-src http://cache:3142/ftp.de.debian.org/debian bookworm main",
				"deb-src http://snapshot.debian.org/archive/debian/20250520T000000Z bookworm main",
			],
		],
		[
			"no archives of others, no backports, no flat ones",
			"sources.list",
			"deb https://deb.nodesource.com/node_20.x nodistro main\ndeb https://packages.example.com/apt stable main\ndeb http://a.example/debian bookworm-backports main\ndeb http://a.example/debian ./\n",
			[],
		],
		["an empty file", "sources.list", "", []],
	])("finds %s", (_, name, text, lines) => {
		expect(sourceLines([{ name, text }])).toEqual(lines);
	});

	test("names each archive once, in order", () => {
		const text = "deb http://b/debian x main\ndeb http://a/debian x main\n";
		expect(
			sourceLines([
				{ name: "a.list", text },
				{ name: "b.list", text },
			]),
		).toEqual(["deb-src http://a/debian x main", "deb-src http://b/debian x main"]);
	});
});
