/**
 * Declares the HTTP API of this backend. `HttpApiClient.make(Api)` returns a client for this API.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import {
  GenerationFailed,
  Gone,
  KeyReused,
  NotFound,
  OutOfCredit,
  OutOfService,
  PromptRejected,
  TooBusy
} from "./Errors.js"
import { ImageId } from "./Image.js"
import * as Prometheus from "./Prometheus.js"

/** State of an accepted image. */
export class Status extends Schema.Class<Status>("backend/Status")({
  id: ImageId,
  status: Schema.Literal("SUBMITTING", "RUNNING", "COMPLETED"),
  links: Schema.Struct({ image: Schema.String })
}) {}

const create = HttpApiEndpoint.post("create", "/images")
  .setHeaders(
    Schema.Struct({
      "idempotency-key": Schema.optionalWith(Schema.NonEmptyString.pipe(Schema.maxLength(255)), { exact: true })
    })
  )
  .setPayload(Schema.Struct({ prompt: Schema.String.pipe(Schema.maxLength(4000)) }))
  .addSuccess(Status, { status: 202 })
  .addError(KeyReused)

/** Returns the PNG, or 202 if the image is not ready. */
const get = HttpApiEndpoint.get("get", "/images/:id")
  .setPath(Schema.Struct({ id: ImageId }))
  .addSuccess(HttpApiSchema.Uint8Array({ contentType: "image/png" }))
  .addSuccess(Status, { status: 202 })
  .addError(NotFound)

const images = HttpApiGroup.make("images")
  .add(create)
  .add(get)
  .addError(PromptRejected)
  .addError(GenerationFailed)
  .addError(Gone)
  .addError(TooBusy)
  .addError(OutOfCredit)
  .addError(OutOfService)

const health = HttpApiGroup.make("health", { topLevel: true }).add(
  HttpApiEndpoint.get("health", "/health").addSuccess(Schema.Struct({ status: Schema.Literal("ok") }))
)

/** The response contains the prices and the load of this backend. The reverse proxy must restrict the path to Prometheus. */
const metrics = HttpApiGroup.make("metrics", { topLevel: true }).add(
  HttpApiEndpoint.get("metrics", "/metrics").addSuccess(HttpApiSchema.Text({ contentType: Prometheus.contentType }))
)

export class Api extends HttpApi.make("backend").add(images).add(health).add(metrics) {}
