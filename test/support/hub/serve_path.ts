// Paths that are no resources: version, health, discovery, OpenAPI.

import { headersFor, sendJson, sendText } from "./answer.ts";
import { discover, openApiDocument, openApiIndex } from "./discovery.ts";
import type { Response } from "./http.ts";
import type { HttpRequest } from "./http_request.ts";
import type { Kind } from "./kind.ts";
import type { Features } from "./list.ts";
import { methodNotAllowed, pageNotFound } from "./status.ts";

/**
 * What kubectl before 1.27 asks for before it applies anything, as protobuf (openapi.v2.Document): swagger and info, no
 * definitions. It checks what is defined, and nothing is.
 */
const OPENAPI_V2 = "\n\x032.0\x12\x15\n\nKubernetes\x12\x07v1.36.2";

interface PathContext {
	readonly kinds: readonly Kind[];
	readonly minor: number;
	readonly features: Features;
}

/** Answers a GET of a path that is no resource. Throws 404. */
export async function servePath(context: PathContext, request: HttpRequest, response: Response): Promise<void> {
	const { path, method } = request;
	if (method !== "GET") throw methodNotAllowed();
	const { kinds, minor } = context;
	const json = (value: object) => sendJson(request, response, { code: 200, pieces: [`${JSON.stringify(value)}\n`] });
	if (path === "/version")
		return sendJson(request, response, {
			code: 200,
			pieces: [JSON.stringify(versionInfo(minor), undefined, 2)],
		});
	if (/^\/(?:healthz|livez|readyz)(?:\/|$)/.test(path)) return sendText(response, 200, "ok");
	if (path === "/openapi/v2" && request.headers["accept"]?.includes("proto-openapi"))
		return sendText(response, 200, OPENAPI_V2);
	const openApi = path.startsWith("/openapi/v3") ? openApiV3(path.slice("/openapi/v3/".length), kinds) : undefined;
	if (openApi !== undefined) return json(openApi);
	const found = /^\/apis?(?:\/|$)/.test(path)
		? discover(request, kinds, context.features.aggregatedDiscovery)
		: undefined;
	if (found === undefined) throw pageNotFound();
	const { body, contentType, etag } = found;
	if (etag === undefined) return sendJson(request, response, { code: 200, pieces: [body] });
	const headers = headersFor(contentType, { "Cache-Control": "public", Etag: etag, Vary: "Accept" });
	return response.full(
		request.headers["if-none-match"] === etag ? 304 : 200,
		headers,
		request.headers["if-none-match"] === etag ? "" : body,
	);
}

/** The index, or the document of one group and version. */
function openApiV3(place: string, kinds: readonly Kind[]): object | undefined {
	return place === "" ? openApiIndex(kinds) : openApiDocument(place, kinds);
}

function versionInfo(minor: number): object {
	return {
		major: "1",
		minor: `${minor}`,
		gitVersion: `v1.${minor}.2`,
		gitCommit: "",
		gitTreeState: "clean",
		buildDate: "1970-01-01T00:00:00Z",
		goVersion: "go1.26.10",
		compiler: "gc",
		platform: "linux/amd64",
	};
}
