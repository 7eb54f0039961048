// What edge/kubernetes delivers: it can be applied as it stands, and its parts know each other by the same names.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createAdmission } from "../../src/admission/admission.ts";
import { CONFIGURATION_NAME } from "../../src/agent/controller/ca_bundle.ts";
import { SECRET_NAME } from "../../src/agent/controller/certificate_secret.ts";
import { LEASE_NAME } from "../../src/agent/controller.ts";
import { agent } from "../../src/cli/agent.ts";
import { controller } from "../../src/cli/controller.ts";
import { parseCommandLine } from "../../src/config/command_line.ts";
import { resolveConfig } from "../../src/config.ts";
import { must } from "../support/command.ts";
import { controllerRules, delivered } from "../support/controller.ts";
import { startHub } from "../support/hub/hub.ts";
import { at, type Fields, fieldsOf, listOf } from "../support/hub/object.ts";

const KUBECTL = Bun.which("kubectl");
const title =
	KUBECTL === null
		? "kubectl kustomize (skipped: no kubectl; Debian's package is kubernetes-client)"
		: "kubectl kustomize";

describe.skipIf(KUBECTL === null)(title, () => {
	test("edge/kubernetes is whole, and a cluster takes all of it", async () => {
		await using hub = await startHub();
		const text = must("kubectl", "kustomize", join(import.meta.dir, "../../edge/kubernetes"));
		const objects = hub.apply(text);
		expect(objects.map(({ kind }) => kind).sort()).toEqual([
			"ClusterRole",
			"ClusterRole",
			"ClusterRole",
			"ClusterRoleBinding",
			"ClusterRoleBinding",
			"ClusterRoleBinding",
			"DaemonSet",
			"Deployment",
			"MutatingWebhookConfiguration",
			"Namespace",
			"PodDisruptionBudget",
			"Role",
			"Role",
			"RoleBinding",
			"RoleBinding",
			"Service",
			"ServiceAccount",
			"ServiceAccount",
			"ValidatingWebhookConfiguration",
		]);
		// Every binding binds a role that is there to an account that is there.
		const names = new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
		const bindings = objects.filter(({ kind }) => kind.endsWith("RoleBinding"));
		for (const binding of bindings) {
			const role = fieldsOf(binding["roleRef"]);
			const [subject] = listOf(binding["subjects"]).map(fieldsOf);
			expect(names).toContain(`${role["kind"]} ${role["name"]}`);
			expect([names.has(`ServiceAccount ${subject?.["name"]}`), subject?.["namespace"]]).toEqual([true, "balancing"]);
		}
	});
});

function containerOf(workload: Fields | undefined): Fields {
	return fieldsOf(listOf(at(workload, "spec", "template", "spec", "containers"))[0]);
}

const [deployment, budget] = delivered("controller/deployment.yaml");
const [service] = delivered("controller/service.yaml");
const configurations = delivered("controller/webhooks.yaml");

test("the Deployment's arguments are understood, and its ports are those of its probes and of the Service", () => {
	const container = containerOf(deployment);
	const args = listOf(container["args"]).map(String);
	const config = resolveConfig(parseCommandLine(args, controller.flags), controller.flags, {
		BALANCING_NAMESPACE: "balancing",
	});
	const ports = new Map(
		listOf(container["ports"])
			.map(fieldsOf)
			.map(({ name, containerPort }) => [name, containerPort]),
	);
	expect([config.listen, config["webhook-listen"], config.namespace]).toEqual([
		`:${ports.get("pages")}`,
		`:${ports.get("webhook")}`,
		"balancing",
	]);
	for (const probe of ["livenessProbe", "readinessProbe"])
		expect(at(container, probe, "httpGet", "port")).toBe("pages");
	expect(at(listOf(at(service, "spec", "ports"))[0], "targetPort")).toBe("webhook");
	const labels = at(deployment, "spec", "template", "metadata", "labels");
	expect([
		at(service, "spec", "selector"),
		at(budget, "spec", "selector", "matchLabels"),
		at(deployment, "spec", "selector", "matchLabels"),
	]).toEqual([labels, labels, labels]);
	expect(listOf(container["command"])).toEqual(["/usr/local/bin/balancing", "controller"]);
});

test("the DaemonSet's environment is understood, and its probes ask where the agent listens", () => {
	const [daemonSet] = delivered("agent/daemon_set.yaml");
	const container = containerOf(daemonSet);
	const config = resolveConfig(parseCommandLine([], agent.flags), agent.flags, { NODE_NAME: "n1" });
	expect(config["node-name"]).toBe("n1");
	for (const probe of ["livenessProbe", "readinessProbe"]) {
		expect(`${at(container, probe, "httpGet", "host")}:${at(container, probe, "httpGet", "port")}`).toBe(config.listen);
	}
	const mounted = listOf(container["volumeMounts"]).map((mount) => String(at(mount, "mountPath")));
	expect(mounted).toContain(config["state-dir"]);
	expect(mounted.some((path) => config["pin-path"].startsWith(`${path}/`))).toBe(true);
	const volumes = listOf(at(daemonSet, "spec", "template", "spec", "volumes")).map((volume) =>
		at(volume, "hostPath", "path"),
	);
	expect(volumes.map(String)).toEqual(mounted);
});

test("webhooks go to the Service, at paths that answer, and never stop anybody", () => {
	const admission = createAdmission({ cluster: () => undefined, random: Math.random });
	expect(configurations.map((configuration) => at(configuration, "metadata", "name"))).toEqual([
		CONFIGURATION_NAME,
		CONFIGURATION_NAME,
	]);
	for (const hook of configurations.flatMap((configuration) => listOf(configuration["webhooks"])).map(fieldsOf)) {
		const { namespace, name, path } = fieldsOf(at(hook, "clientConfig", "service"));
		expect([namespace, name]).toEqual([at(service, "metadata", "namespace"), at(service, "metadata", "name")]);
		expect(admission({ method: "POST", path: String(path), body: "" }).status).toBe(400);
		expect([hook["failurePolicy"], hook["sideEffects"]]).toEqual(["Ignore", "None"]);
	}
});

test("the account names the Lease, the Secret and the configurations that the controller has", () => {
	const names = controllerRules().flatMap((rule) => (rule.names ?? []).map((name) => `${rule.resources} ${name}`));
	expect(names.sort()).toEqual([
		`leases ${LEASE_NAME}`,
		`secrets ${SECRET_NAME}`,
		`validatingwebhookconfigurations,mutatingwebhookconfigurations ${CONFIGURATION_NAME}`,
	]);
});
