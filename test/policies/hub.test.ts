// kubectl applies the policies that users know to an API server with our definitions, and shows what they are.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { shippedPolicies } from "../support/hub/shipped.ts";

setDefaultTimeout(60_000);

const HAS_KUBECTL = Bun.which("kubectl") !== null;
const TOP = join(import.meta.dir, "../..");

describe.skipIf(!HAS_KUBECTL)(`kubectl and the policies${HAS_KUBECTL ? "" : " (kubectl is not installed)"}`, () => {
	let hub: TestHub;
	const folder = mkdtempSync(join(tmpdir(), `balancing-test-${process.pid}-crds-`));

	beforeAll(async () => {
		hub = await startHub({ definitions: [], rules: shippedPolicies().rules });
		writeFileSync(join(folder, "kubeconfig"), hub.kubeconfig());
	});
	afterAll(async () => {
		await hub.close();
		rmSync(folder, { recursive: true });
	});

	async function kubectl(...parameters: readonly string[]): Promise<{ code: number; text: string }> {
		const command = ["kubectl", "--kubeconfig", join(folder, "kubeconfig"), "--cache-dir", folder, ...parameters];
		const process = Bun.spawn(command, { cwd: TOP, stdout: "pipe", stderr: "pipe" });
		const [out, error] = await Promise.all([process.stdout.text(), process.stderr.text()]);
		return { code: await process.exited, text: `${out}${error}` };
	}

	test("applies edge/crds", async () => {
		expect(await kubectl("apply", "--validate=false", "-f", "edge/crds")).toEqual({
			code: 0,
			text: "customresourcedefinition.apiextensions.k8s.io/balancingpolicies.balancing.elf.io created\ncustomresourcedefinition.apiextensions.k8s.io/localredirectpolicies.balancing.elf.io created\n",
		});
	});

	test.each([["test/policies/shapes.yaml"], ["test/policies/handbook.yaml"]])(
		"applies %s as it stands",
		async (file) => {
			const { code, text } = await kubectl("apply", "--validate=false", "-f", file);
			expect({ code, text }).toMatchObject({ code: 0 });
			expect(
				text
					.trim()
					.split("\n")
					.every((line) => line.endsWith(" created")),
			).toBe(true);
		},
	);

	test.each([["canary"], ["external-database"], ["node-local-dns"], ["vm-host-port"], ["vm-node-proxy"]])(
		"applies the example %s",
		async (name) => {
			await using other = await startHub(shippedPolicies());
			other.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
			const config = join(folder, `${name}.kubeconfig`);
			writeFileSync(config, other.kubeconfig());
			const { code, text } = await kubectl(
				"--kubeconfig",
				config,
				"apply",
				"--validate=false",
				"-f",
				`edge/examples/${name}.yaml`,
			);
			expect({ code, text }).toMatchObject({ code: 0 });
			expect(text).toMatch(/^(?:balancing|localredirect)policy\.balancing\.elf\.io\/\S+ created$/m);
		},
	);

	test("shows both kinds of one category, with what they are about", async () => {
		hub.apply({
			...hub.get("BalancingPolicy", undefined, "legacy-db"),
			status: {
				observedGeneration: 1,
				conditions: ["Accepted", "Resolved"].map((type) => ({
					type,
					status: type === "Accepted" ? "True" : "False",
					reason: type,
					message: "m",
					lastTransitionTime: "2026-01-02T03:04:05Z",
				})),
			},
		});
		const { text } = await kubectl("get", "bl", "legacy-db", "shop-hostport");
		expect(text.split("\n").map((line) => line.replace(/\s+\S+$/, "").replace(/\s{2,}/g, "  "))).toEqual([
			"NAME  SERVICE  NAMESPACE  ADDRESS  MODE  ACCEPTED  RESOLVED",
			"legacy-db  169.254.50.50  True  False",
			"shop-hostport  api-ext  shop  hostPort",
			"",
		]);
		const both = await kubectl("get", "elf", "-o", "name");
		expect(both.text).toContain("localredirectpolicy.balancing.elf.io/dns-to-local-cache");
		expect(both.text).toContain("balancingpolicy.balancing.elf.io/test-addr");
	});

	test("changes a policy's frontend and backend, which its predecessor forbade", async () => {
		const patch = JSON.stringify({
			spec: {
				frontend: { addressMatcher: { ip: "2001:db8::50" } },
				backend: { addressEndpoint: { addresses: ["2001:db8::51"] } },
			},
		});
		const before = hub.get("BalancingPolicy", undefined, "legacy-db")?.metadata.generation;
		expect((await kubectl("patch", "bl", "legacy-db", "--type=merge", "-p", patch)).code).toBe(0);
		const after = hub.get("BalancingPolicy", undefined, "legacy-db");
		expect(after?.metadata.generation).toBe(Number(before) + 1);
		expect(after?.spec).toMatchObject({ frontend: { addressMatcher: { ip: "2001:db8::50" } } });
	});

	test.each<[string, unknown, string]>([
		[
			"two frontends",
			{ frontend: { serviceMatcher: { namespace: "shop", serviceName: "api" } } },
			"spec.frontend: Give either serviceMatcher or addressMatcher",
		],
		[
			"a port without a partner",
			{ backend: { addressEndpoint: { toPorts: [{ name: "db", port: "5432", protocol: "TCP" }] } } },
			"spec: A port of the frontend has no partner: give the backend a port with the same name and protocol",
		],
		[
			"a port out of range",
			{ backend: { addressEndpoint: { toPorts: [{ name: "pg", port: "65536", protocol: "TCP" }] } } },
			"spec.backend.addressEndpoint.toPorts[0].port: should match",
		],
	])("is refused %s", async (_, spec, message) => {
		const { code, text } = await kubectl("patch", "bl", "legacy-db", "--type=merge", "-p", JSON.stringify({ spec }));
		expect(code).toBe(1);
		expect(text).toContain(message);
	});

	test("is told of a field that does not exist", async () => {
		const url = `${hub.url}/apis/balancing.elf.io/v1beta1/localredirectpolicies`;
		const body = { ...hub.get("LocalRedirectPolicy", undefined, "metadata-proxy"), metadata: { name: "other" } };
		const { authority: ca, certificate: cert, key } = hub.credentials();
		const post = (query: string, spec: object) =>
			fetch(`${url}?${query}`, {
				method: "POST",
				headers: { "content-type": "application/json" },
				body: JSON.stringify({ ...body, spec: { ...body.spec, ...spec } }),
				tls: { ca, ...(cert === undefined || key === undefined ? {} : { cert, key }) },
			});
		const strict = await post("fieldValidation=Strict", { enabled: true });
		expect(strict.status).toBe(400);
		expect(await strict.text()).toContain('strict decoding error: unknown field \\"spec.enabled\\"');
		expect((await post("fieldValidation=Ignore", { enabled: true })).status).toBe(201);
		expect(hub.get("LocalRedirectPolicy", undefined, "other")?.spec).not.toHaveProperty("enabled");
	});
});
