/**
 * Reads the API key and the base URL from the configuration.
 *
 * @internal
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { InvalidRequest } from "../../ModelRouteError.js"

/** @internal */
export interface ConfiguredOptions {
  readonly apiKey: Redacted.Redacted
  readonly baseUrl: string | undefined
}

const optionsConfig: Config.Config<ConfiguredOptions> = Config.all({
  apiKey: Config.redacted("MODELROUTE_API_KEY"),
  baseUrl: Config.option(Config.nonEmptyString("MODELROUTE_BASE_URL"))
}).pipe(Config.map(({ apiKey, baseUrl }) => ({ apiKey, baseUrl: Option.getOrUndefined(baseUrl) })))

const variableNames: { readonly [field: string]: string } = {
  apiKey: "MODELROUTE_API_KEY",
  baseUrl: "MODELROUTE_BASE_URL"
}

const loadOptions = Effect.mapError(optionsConfig, (error) =>
  ConfigError.isMissingData(error) && error.path.includes("MODELROUTE_API_KEY")
    ? ConfigError.MissingData(error.path, "Set it to your API key from the dashboard.")
    : error
)

/**
 * Creates a client with the options from `MODELROUTE_API_KEY` and `MODELROUTE_BASE_URL`. If `make` fails with
 * `InvalidRequest`, fails with a `ConfigError` that contains the name of the variable.
 *
 * @internal
 */
export const withConfig = <A, R>(
  make: (options: ConfiguredOptions) => Effect.Effect<A, InvalidRequest, R>
): Effect.Effect<A, ConfigError.ConfigError, R> =>
  Effect.flatMap(loadOptions, (options) =>
    Effect.mapError(make(options), (error) =>
      ConfigError.InvalidData([variableNames[error.field] ?? error.field], error.message)
    )
  )
