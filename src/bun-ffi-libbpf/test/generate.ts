// Sends numbered records into a pinned ring: bun generate.ts PATH COUNT. Prints the number after the last one.

import { openObject, runProgram } from "../mod.ts";
import { objectBytes } from "./support.ts";

const [path = "", count = "0"] = process.argv.slice(2);
using object = openObject(objectBytes("ring"), { name: "ring" });
object.maps.get("ring")?.setPinPath(path);
object.load();
const fd = object.programs.get("generate")?.fd ?? -1;
const request = new DataView(new ArrayBuffer(16));
request.setBigUint64(0, 1n, true);
request.setUint32(8, 100, true);
while (request.getBigUint64(0, true) <= BigInt(count)) runProgram(fd, { context: new Uint8Array(request.buffer) });
process.stdout.write(String(request.getBigUint64(0, true)));
