import { assert, describe, it } from "@effect/vitest"
import { secretsOfUrl } from "../../src/internal/errors/urlSecrets.js"

const secretsOf = (query: string) => [...secretsOfUrl(`https://storage.example/file${query}`)].sort()

describe("secretsOfUrl", () => {
  for (const [what, query, secrets] of [
    ["no query", "", []],
    ["values of 6 characters", "?sig=abcdef&expires=12345", ["abcdef"]],
    ["a value with an equals sign", "?sig=abcdef==", ["abcdef=="]],
    ["an unknown name of 12 characters", "?abcdefghijkl=1&abcdefghijk=1", ["abcdefghijkl"]],
    [
      "documented names",
      "?X-Amz-Signature=a&x-goog-credential=a&response-content-type=a&response-cache-control=a&response-expires=a&AWSAccessKeyId=a&GoogleAccessId=a",
      []
    ],
    [
      "names that contain a documented name",
      "?my-x-amz-signature=a&AWSAccessKeyIdOfUser=a",
      ["AWSAccessKeyIdOfUser", "my-x-amz-signature"]
    ],
    ["a value in each encoding", "?sig=abc%2Fd+e", ["abc%2Fd+e", "abc/d e", "abc/d+e"]],
    ["several plus signs", "?sig=a+b+cdef", ["a b cdef", "a+b+cdef"]],
    ["parameters that are separated by semicolons", "?a=1;sig=abcdef", ["1;sig=abcdef", "abcdef"]],
    ["a fragment", "?x=1#token=abcdef", ["abcdef"]]
  ] as const) {
    it(`returns the secrets of a URL with ${what}`, () => assert.deepStrictEqual(secretsOf(query), [...secrets]))
  }

  it("returns each secret once", () => {
    assert.deepStrictEqual(secretsOf("?a=abcdef&b=abcdef#c=abcdef"), ["abcdef"])
  })
})
