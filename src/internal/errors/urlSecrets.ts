/**
 * Finds the secrets in a presigned URL.
 *
 * @internal
 */

/** The minimum length of a secret parameter value. Shorter values, such as `3600` or `host`, are not secret. */
const minSecretValueChars = 6

/** The minimum length of a secret parameter name. Shorter names, such as `acl` or `versionId`, are not secret. */
const minSecretNameChars = 12

/** Matches the documented parameter names of S3 and Google Cloud Storage, which are not secret. */
const documentedName =
  /^(?:x-(?:amz|goog)-[a-z\d-]{1,32}|response-(?:content|cache|expires)[a-z-]{0,32}|AWSAccessKeyId|GoogleAccessId)$/i

/** Splits a query into encoded names and values. */
const rawParameters = (query: string): ReadonlyArray<readonly [name: string, value: string]> =>
  query.split(/[&;]/).map((parameter) => {
    const [name = ""] = parameter.split("=", 1)
    return [name, parameter.slice(name.length + 1)]
  })

const isSecretName = (name: string): boolean => name.length >= minSecretNameChars && !documentedName.test(name)

/**
 * Returns the secrets of a query in every form that a storage error can contain:
 *
 * - encoded, as in the URL
 * - decoded, with `+` as a space
 * - decoded, with `+` unchanged
 */
const secretsOfQuery = (query: string): ReadonlyArray<string> => {
  const parameters = [
    ...rawParameters(query),
    ...new URLSearchParams(query),
    ...new URLSearchParams(query.replaceAll("+", "%2B"))
  ]
  return [
    ...parameters.map(([name]) => name).filter(isSecretName),
    ...parameters.map(([, value]) => value).filter(({ length }) => length >= minSecretValueChars)
  ]
}

/**
 * Returns the parts of a presigned URL that grant access to the file. Errors must not contain these parts, but error
 * responses of object storage can quote them.
 *
 * @internal
 */
export const secretsOfUrl = (url: string): ReadonlyArray<string> => {
  const { hash, search } = new URL(url)
  return Array.from(new Set([search, hash].flatMap((part) => secretsOfQuery(part.slice(1)))))
}
