// The smallest program that uses the package, for test/compile: prints what works.

import { readdirSync } from "node:fs";
import { createMap, libbpfVersion } from "../mod.ts";

using map = createMap({ type: "hash", keySize: 4, valueSize: 4, maxEntries: 1 });
map.update(new Uint8Array(4), new Uint8Array([1, 2, 3, 4]));
const value = [...(map.lookup(new Uint8Array(4)) ?? [])];
process.stdout.write(JSON.stringify({ version: libbpfVersion(), value, root: readdirSync("/").sort() }));
