// Opens a reader, receives a record, closes: then nothing keeps the process running.

import { openObject, ringBuffer, runProgram } from "../mod.ts";
import { objectBytes } from "./support.ts";

using object = openObject(objectBytes("ring"), { name: "ring" });
object.load();
const map = object.maps.get("ring")?.open();
if (map === undefined) throw new Error("No map ring");
const ring = ringBuffer(map, () => ring.close());
runProgram(object.programs.get("generate")?.fd ?? -1, { context: new Uint8Array(new BigUint64Array([1n, 1n]).buffer) });
await ring.closed;
map.close();
process.stdout.write("closed");
