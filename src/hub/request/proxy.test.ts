// Which proxy, by the rules of Go's golang.org/x/net/http/httpproxy.

import { expect, test } from "bun:test";
import { proxyFor } from "./proxy.ts";

const PROXY = "http://proxy:3128";

test.each([
	["https://api:6443/x", { https: PROXY }, PROXY],
	["https://api:6443/x", { http: PROXY }, undefined],
	["http://api:8080/x", { http: PROXY }, PROXY],
	["http://api:8080/x", { https: PROXY }, undefined],
	["https://api:6443/x", { https: "proxy:3128" }, PROXY],
	["https://api:6443/x", { https: "" }, undefined],
	["https://api:6443/x", {}, undefined],
	["https://localhost:6443/x", { https: PROXY }, undefined],
	["https://127.1.2.3:6443/x", { https: PROXY }, undefined],
	["https://[::1]:6443/x", { https: PROXY }, undefined],
])("proxyFor(%s) with %j is %s", (url, environment, expected) => {
	expect(proxyFor(url, environment)).toBe(expected);
});

test.each([
	["api.example.com", "*", true],
	["api.example.com", "api.example.com", true],
	["api.example.com", "API.Example.com", true],
	["api.example.com", "other, example.com ,", true],
	["api.example.com", ".example.com", true],
	["api.example.com", "*.example.com", true],
	["example.com", ".example.com", false],
	["example.com", "*.example.com", false],
	["badexample.com", "example.com", false],
	["api.example.com", "example.com:6443", true],
	["api.example.com", "example.com:443", false],
	["10.1.2.3", "10.1.2.3", true],
	["10.1.2.3", "10.1.2.3:6443", true],
	["10.1.2.3", "10.1.2.3:1", false],
	["10.1.2.3", "10.0.0.0/8", true],
	["10.1.2.3", "10.2.0.0/16", false],
	["10.1.2.3", "10.1.2.3/33", false],
	["10.1.2.3", "fd00::/8", false],
	["[fd00::5]", "fd00::/8", true],
	["[fd00::5]", "fd00::5", true],
	["[fd00::5]", "[fd00::5]:6443", true],
	["api.example.com", "10.0.0.0/8", false],
	["api.example.com", "", false],
])("proxyFor() of %s with NO_PROXY=%s: direct is %p", (host, no, direct) => {
	expect(proxyFor(`https://${host}:6443`, { https: PROXY, no })).toBe(direct ? undefined : PROXY);
});
