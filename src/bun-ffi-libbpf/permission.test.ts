// What is said to a process without capabilities.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { describeAsRoot, temporaryCgroup } from "./test/support.ts";

/** Runs test/unprivileged.ts without the capabilities that BPF needs; its findings by name. */
function withoutCapabilities(cgroup: string): unknown {
	const drop = ["setpriv", "--bounding-set=-sys_admin,-net_admin,-bpf,-perfmon", "--inh-caps=-all"];
	const script = join(import.meta.dirname, "test/unprivileged.ts");
	const { stdout, stderr, exitCode } = Bun.spawnSync([...drop, process.execPath, script, cgroup]);
	if (exitCode !== 0) throw new Error(`The child failed: ${stderr}`);
	return JSON.parse(stdout.toString());
}

describeAsRoot("without capabilities", () => {
	test("every error is a permission, names what is needed, and leaks nothing", () => {
		using cgroup = temporaryCgroup();
		const map = "needs CAP_BPF; kernels before 5.8: CAP_SYS_ADMIN";
		const program = "needs CAP_BPF and CAP_NET_ADMIN; kernels before 5.8: CAP_SYS_ADMIN";
		expect(withoutCapabilities(cgroup.path)).toEqual({
			createMap: `isPermission: Cannot create the map lru_hash: EPERM (${map})`,
			load: expect.stringContaining(`isPermission: Cannot load sock: EPERM (${program}): `),
			queryCgroup: `isPermission: Cannot query cgroup_udp4_sendmsg of ${cgroup.path}: EPERM (needs CAP_NET_ADMIN)`,
			probeHelper: `isPermission: Cannot probe helper 1 of cgroup_sock_addr: EPERM (${map})`,
			mount: "isPermission: Cannot mount tmpfs on /tmp: EPERM (needs CAP_SYS_ADMIN)",
			fileDescriptors: "as before",
		});
	});
});
