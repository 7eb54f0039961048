// Tries everything, as a process without capabilities: bun unprivileged.ts CGROUP. Prints what each attempt said.

import { createMap, isPermission, mount, openObject, possibleCpus, probeHelper, queryCgroup } from "../mod.ts";
import { objectBytes, openFds } from "./support.ts";

const [cgroup = ""] = process.argv.slice(2);

function attempt(action: () => unknown): string {
	try {
		action();
		return "succeeded";
	} catch (error) {
		return `${isPermission(error) ? "isPermission: " : ""}${error instanceof Error ? error.message : error}`;
	}
}

function load(): void {
	using object = openObject(objectBytes("sock"), { name: "sock" });
	object.load();
}

possibleCpus();
objectBytes("sock");
const before = openFds();
const found = {
	// Plain hashes are for everybody, if kernel.unprivileged_bpf_disabled is 0.
	createMap: attempt(() => createMap({ type: "lru_hash", keySize: 4, valueSize: 4, maxEntries: 1 })),
	load: attempt(load),
	queryCgroup: attempt(() => queryCgroup(cgroup, "cgroup_udp4_sendmsg")),
	probeHelper: attempt(() => probeHelper("cgroup_sock_addr", 1)),
	mount: attempt(() => mount("none", "/tmp", "tmpfs")),
};
const fileDescriptors = openFds() === before ? "as before" : "leaked";
process.stdout.write(JSON.stringify({ ...found, fileDescriptors }));
