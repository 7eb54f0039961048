// balancing controller as a person starts it, with kubectl before it: kubectl -> hub -> webhook -> hub.

import { expect, test } from "bun:test";
import { createServer } from "node:net";
import { join } from "node:path";
import { temporaryFolder } from "../support/follow_hub.ts";
import { until } from "../support/wait.ts";

const TOP = join(import.meta.dir, "../..");
const KUBECTL = Bun.which("kubectl");
const title =
	KUBECTL === null
		? "balancing controller with kubectl (skipped: no kubectl; Debian's package is kubernetes-client)"
		: "balancing controller with kubectl";

const VIP = `
apiVersion: balancing.elf.io/v1beta1
kind: BalancingPolicy
metadata: { name: NAME }
spec:
  frontend: { addressMatcher: { ip: 169.254.50.50, toPorts: [{ port: "5432", protocol: TCP }] } }
  backend: { addressEndpoint: { addresses: [192.0.2.11], toPorts: [{ port: "5432", protocol: TCP }] } }
`;

/** A port that nobody has, most likely. */
async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
	const address = server.address();
	await new Promise((resolve) => server.close(resolve));
	return typeof address === "object" && address !== null ? address.port : 0;
}

interface Started extends AsyncDisposable {
	said(): string;
	readonly process: Bun.Subprocess;
}

function start(...args: readonly string[]): Started {
	const child = Bun.spawn([process.execPath, "run", ...args], { cwd: TOP, stdout: "pipe", stderr: "inherit" });
	let text = "";
	const reading = (async () => {
		for await (const chunk of child.stdout) text += new TextDecoder().decode(chunk);
	})();
	return {
		said: () => text,
		process: child,
		async [Symbol.asyncDispose]() {
			child.kill("SIGTERM");
			await child.exited;
			await reading;
		},
	};
}

test.skipIf(KUBECTL === null)(title, async () => {
	using folder = temporaryFolder();
	const [webhooks, pages] = [await freePort(), await freePort()];
	const kubeconfig = join(folder.path, "kubeconfig");
	await using hub = start("scripts/dev_hub.ts", "--kubeconfig", kubeconfig, "--webhooks", `${webhooks}`);
	await until("the hub serves", () => hub.said().includes("Ctrl-C"));
	const kubectl = async (args: readonly string[], input = "") => {
		const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: folder.path };
		const child = Bun.spawn(["kubectl", ...args], { env, stdin: new Blob([input]), stdout: "pipe", stderr: "pipe" });
		const [out, err, code] = await Promise.all([
			new Response(child.stdout).text(),
			new Response(child.stderr).text(),
			child.exited,
		]);
		return { code, out, err };
	};
	// Before there is a controller: nobody is stopped.
	expect((await kubectl(["create", "-f", "-"], VIP.replace("NAME", "early"))).code).toBe(0);
	const line = [
		"--kubeconfig",
		kubeconfig,
		"--webhook-listen",
		`127.0.0.1:${webhooks}`,
		"--listen",
		`127.0.0.1:${pages}`,
	];
	await using controller = start("src/main.ts", "controller", ...line);
	await until("the API server trusts it", () => controller.said().split("told whom to trust").length > 2);
	const ready = await fetch(`http://127.0.0.1:${pages}/readyz`);
	expect([ready.status, await ready.text()]).toEqual([200, "ok\n"]);

	// an object without any annotation, which client-side apply never sends.
	const other = VIP.replace("NAME", "late").replace("169.254.50.50", "169.254.50.51");
	const applied = await kubectl(["apply", "--server-side", "-f", "-"], other);
	expect([applied.code, applied.err]).toEqual([0, ""]);
	const id = await kubectl([
		"get",
		"bl",
		"late",
		"-o",
		"jsonpath={.metadata.annotations.balancing\\.elf\\.io/serviceId}",
	]);
	expect(id.out).toMatch(/^[1-9]\d{0,9}$/);
	//
	const second = await kubectl(["create", "-f", "-"], VIP.replace("NAME", "a-second"));
	expect([second.code, second.err]).toEqual([
		1,
		expect.stringMatching(/denied the request: FrontendConflict: .*BalancingPolicy early/),
	]);
	// the spec is mutable here, and metadata anyway.
	const edited = await kubectl([
		"patch",
		"bl",
		"late",
		"--type=merge",
		"-p",
		'{"spec":{"config":{"enableOutCluster":false}}}',
	]);
	expect([edited.code, (await kubectl(["label", "bl", "late", "a=b"])).code]).toEqual([0, 0]);
	const wait = ["wait", "--for=condition=Resolved", "bl/early", "bl/late", "--timeout=20s"];
	expect((await kubectl(wait)).code).toBe(0);
	const metrics = await (await fetch(`http://127.0.0.1:${pages}/metrics`)).text();
	expect(metrics).toMatch(/^balancing_admission_reviews_total\{webhook="validate",code="200"\} [1-9]/m);
	controller.process.kill("SIGTERM");
	expect(await controller.process.exited).toBe(0);
	expect((await kubectl(["delete", "bl", "early", "late"])).code).toBe(0);
});

test.each([
	[["--manifests", "."], "Cannot understand --manifests: no such flag"],
	[["--metaserver", "http://127.0.0.1:10550"], "Cannot understand --metaserver: no such flag"],
	[["--kubeconfig", "a", "--kubeconfig", "b"], "Cannot run a controller for these hubs: it works for one API server"],
])("balancing controller %j is a mistake, and says what to type", async (args, message) => {
	const child = Bun.spawn([process.execPath, "run", "src/main.ts", "controller", ...args], {
		cwd: TOP,
		stderr: "pipe",
	});
	expect(await child.exited).toBe(2);
	expect(await new Response(child.stderr).text()).toContain(message);
});
