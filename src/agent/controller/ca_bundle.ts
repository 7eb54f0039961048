// Tells API servers whom to trust: caBundle of the webhook configurations.

import { Buffer } from "node:buffer";
import { isConflict, metaOf, type ObjectKind, type Objects } from "../../hub/request/objects.ts";
import type { Log } from "../../lib/log.ts";
import { field, isRaw, type Raw } from "../../model/raw.ts";

export interface CaBundle {
	/** Whether all webhook configurations of ours have it now. Never throws. */
	tell(bundle: string, objects: Objects): Promise<boolean>;
}

export const CONFIGURATION_NAME = "balancing";
const API_VERSION = "admissionregistration.k8s.io/v1";
const KINDS: readonly ObjectKind[] = [
	{ kind: "ValidatingWebhookConfiguration", apiVersion: API_VERSION, resource: "validatingwebhookconfigurations" },
	{ kind: "MutatingWebhookConfiguration", apiVersion: API_VERSION, resource: "mutatingwebhookconfigurations" },
];

export function createCaBundle(log: Log): CaBundle {
	const said = new Set<string>();

	function sayOnce(key: string, say: () => void): void {
		if (!said.has(key)) say();
		said.add(key);
	}

	async function tellOne(kind: ObjectKind, bundle: string, objects: Objects): Promise<void> {
		const place = { ...kind, name: CONFIGURATION_NAME };
		const configuration = await objects.get(place);
		if (configuration === undefined) {
			const hint = "policies are not checked when they are written; apply edge/kubernetes/controller";
			return sayOnce(kind.kind, () => log.info({ hint }, `There is no ${kind.kind} ${CONFIGURATION_NAME}`));
		}
		const body = patchFor(configuration, Buffer.from(bundle).toString("base64"));
		if (body === undefined) return;
		await objects.patch(place, { type: "json", body });
		log.info({ configuration: kind.kind }, "The API servers have been told whom to trust");
	}

	return {
		async tell(bundle, objects) {
			let isTold = true;
			for (const kind of KINDS) {
				try {
					await tellOne(kind, bundle, objects);
				} catch (err) {
					isTold = false;
					if (!isConflict(err))
						sayOnce(String(err), () => log.warn({ err }, "Cannot tell the API servers whom to trust"));
				}
			}
			if (isTold) said.clear();
			return isTold;
		},
	};
}

/** Undefined if there is nothing to change. */
function patchFor(configuration: Raw, caBundle: string): readonly Raw[] | undefined {
	const webhooks = field(configuration, "webhooks");
	const operations = (Array.isArray(webhooks) ? webhooks : []).flatMap((webhook: unknown, index): readonly Raw[] => {
		const client = isRaw(webhook) ? field(webhook, "clientConfig") : undefined;
		if (!isRaw(client) || field(client, "caBundle") === caBundle) return [];
		return [{ op: "add", path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle }];
	});
	if (operations.length === 0) return undefined;
	// Webhooks are known by their places: of another version they may be others.
	return [
		{ op: "test", path: "/metadata/resourceVersion", value: metaOf(configuration, "resourceVersion") },
		...operations,
	];
}
