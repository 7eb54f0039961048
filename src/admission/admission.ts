// Requests of an API server's webhooks -> answers: by path, whatever comes.

import { assertNever } from "../lib/assert_never.ts";
import type { Cluster } from "../model/cluster.ts";
import { createMutation } from "./mutate.ts";
import { answerReview, parseReview } from "./review.ts";
import { validate } from "./validate.ts";

export interface WebhookRequest {
	readonly method: string;
	/** Without the query. */
	readonly path: string;
	readonly body: string;
}

export interface WebhookAnswer {
	readonly status: number;
	readonly type: "application/json" | "text/plain; charset=utf-8";
	readonly body: string;
}

export interface AdmissionOptions {
	/** Undefined as long as nothing is known. */
	readonly cluster: () => Cluster | undefined;
	/** From 0 up to 1. */
	readonly random: () => number;
}

const VALIDATE = "/validate";
const MUTATE = "/mutate";
/** As existing webhook configurations name it: one path for each kind. */
const FORMER = /^(\/(?:validate|mutate))-balancing-elf-io-v1beta1-(?:balancingpolicy|localredirectpolicy)$/;

/** Total: never throws because of what came. */
export function createAdmission({ cluster, random }: AdmissionOptions): (request: WebhookRequest) => WebhookAnswer {
	const { mutate } = createMutation(random);

	return ({ method, path, body }) => {
		const task = FORMER.exec(path)?.[1] ?? path;
		if (task !== VALIDATE && task !== MUTATE) return refuse(404, `No such page: post to ${VALIDATE} or ${MUTATE}`);
		if (method !== "POST") return refuse(405, "Only POST");
		const parsed = parseReview(body);
		if (parsed.kind === "wrong") return refuse(400, parsed.message);
		const { review } = parsed;
		return { status: 200, type: "application/json", body: JSON.stringify(answerReview(review, judge(task))) };

		function judge(task: typeof VALIDATE | typeof MUTATE) {
			switch (task) {
				case VALIDATE:
					return validate(review, cluster());
				case MUTATE:
					return mutate(review, cluster());
				default:
					return assertNever(task);
			}
		}
	};
}

function refuse(status: number, message: string): WebhookAnswer {
	return { status, type: "text/plain; charset=utf-8", body: `${message}\n` };
}
