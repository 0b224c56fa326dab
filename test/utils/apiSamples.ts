/**
 * The samples of the API documentation, unchanged. `page` is the page of https://docs.modelroute.ai that contains the
 * sample. `test/apiSamples.test.ts` tests each sample.
 */

/** Sample of a response body or of a delivery. */
interface JsonSample {
  readonly page: string
  readonly json: { readonly [field: string]: unknown }
}

const executionId = "exec_a1b2c3d4-e5f6-7890-abcd-ef1234567890"
const fileId = "file_f47ac10b-58cc-4372-a567-0e02b2c3d479"
const endpointUrl = "https://your-app.com/webhooks/modelroute"
const events = ["execution.completed", "execution.failed"]

export const createdExecution = {
  page: "executions/create",
  json: {
    id: executionId,
    status: "PENDING",
    model: "flux-1.1-pro",
    hold_amount: "0.048",
    estimated_cost: "0.040",
    expires_at: "2026-03-20T10:35:00Z",
    created_at: "2026-03-20T10:30:00Z"
  }
} satisfies JsonSample

const { created_at: _, ...withoutCreatedAt } = createdExecution.json

export const quickstartExecution = { page: "quickstart", json: withoutCreatedAt } satisfies JsonSample

export const polledExecution = {
  page: "files/downloading",
  json: {
    id: executionId,
    status: "COMPLETED",
    result: { file_id: fileId, content_type: "image/png", width: 1024, height: 768 }
  }
} satisfies JsonSample

export const executionResult = {
  page: "quickstart",
  json: {
    execution_id: executionId,
    status: "COMPLETED",
    output: { images: [{ file_id: fileId, format: "png", width: 1024, height: 768 }] },
    cost: "0.040",
    latency_ms: 8420
  }
} satisfies JsonSample

export const uploadLink = {
  page: "files/uploading",
  json: {
    file_id: fileId,
    upload_url: "https://storage.modelroute.ai/uploads/file_f47ac10b...?X-Amz-Signature=...",
    expires_at: "2026-03-20T11:30:00Z"
  }
} satisfies JsonSample

export const downloadLink = {
  page: "files/downloading",
  json: {
    url: "https://storage.modelroute.ai/files/file_f47ac10b...?X-Amz-Signature=...",
    expires_at: "2026-03-20T11:30:00Z",
    content_type: "image/png",
    size_bytes: 1048576
  }
} satisfies JsonSample

export const createdEndpoint = {
  page: "webhooks/setup",
  json: {
    id: "wh_a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    url: endpointUrl,
    description: "Production webhook endpoint",
    events,
    secret: "whsec_k8m2n4p6r8t0v2x4z6a8c0e2g4i6k8m2n4p6r8t0",
    is_active: true,
    created_at: "2026-03-20T10:00:00Z"
  }
} satisfies JsonSample

/** Other format of the response to the same request. */
export const createdEndpointWithStatus = {
  page: "executions/webhooks",
  json: {
    id: "wh_abc123",
    url: endpointUrl,
    secret: "whsec_a1b2c3d4e5f6...",
    events,
    status: "active"
  }
} satisfies JsonSample

export const listedEndpoints = {
  page: "webhooks/setup",
  json: {
    endpoints: [
      {
        id: "wh_a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        url: endpointUrl,
        events,
        is_active: true,
        failure_count: 0,
        last_success: "2026-03-20T10:15:00Z"
      }
    ]
  }
} satisfies JsonSample

export const rotatedKey = {
  page: "authentication",
  json: {
    id: "key_a1b2c3d4",
    new_key: "sk_new_key_value_here..._crc32hex",
    previous_key_valid_until: "2026-03-20T11:00:00Z"
  }
} satisfies JsonSample

export const completedEvent = {
  page: "webhooks/overview",
  json: {
    id: "evt_c3d4e5f6-7890-1234-abcd-ef1234567890",
    event_type: "execution.completed",
    timestamp: "2026-03-20T10:32:15Z",
    version: "1.0",
    organization_id: "org_a1b2c3d4",
    execution_id: "exec_b2c3d4e5-f678-9012-abcd-ef1234567890",
    data: {
      id: "exec_b2c3d4e5-f678-9012-abcd-ef1234567890",
      status: "COMPLETED",
      model: "flux-1.1-pro",
      cost: "0.040",
      latency_ms: 8420,
      result: { file_id: "file_d4e5f678-9012-3456-abcd-ef1234567890" },
      created_at: "2026-03-20T10:30:00Z",
      completed_at: "2026-03-20T10:32:15Z"
    }
  }
} satisfies JsonSample

/** Other format of an event. The page shows only the names of the fields in `data`. */
export const completedEventWithType = {
  page: "executions/webhooks",
  json: {
    id: "evt_abc123",
    type: "execution.completed",
    timestamp: "2026-03-20T10:30:08Z",
    data: { id: executionId, status: "COMPLETED", model: "flux-1.1-pro", cost: "0.040" }
  }
} satisfies JsonSample

export const invalidInput = {
  page: "errors/overview",
  json: {
    error: {
      code: "INPUT_VALIDATION_ERROR",
      message: "Invalid input parameters",
      retryable: false,
      request_id: "req_a1b2c3d4",
      details: [{ field: "input.prompt", code: "REQUIRED", message: "prompt is required" }]
    }
  }
} satisfies JsonSample

/** The samples of this page have no `request_id`. The text of `error.message` comes from the page "errors/overview". */
export const outOfRangeInput = {
  page: "errors/error-codes",
  json: {
    error: {
      code: "INPUT_VALIDATION_ERROR",
      message: "Invalid input parameters",
      retryable: false,
      details: [{ field: "input.width", code: "OUT_OF_RANGE", message: "width must be between 256 and 2048" }]
    }
  }
} satisfies JsonSample

/** The table of the page "errors/error-codes": code, HTTP status, retryable. */
export const errorCodes = [
  ["INPUT_VALIDATION_ERROR", 400, false],
  ["CONTENT_MODERATION_REJECTED", 400, false],
  ["FILE_NOT_FOUND", 400, false],
  ["FILE_FORMAT_UNSUPPORTED", 400, false],
  ["INSUFFICIENT_BALANCE", 402, false],
  ["RATE_LIMITED", 429, true],
  ["MODEL_OVERLOADED", 503, true],
  ["MODEL_UNAVAILABLE", 503, true],
  ["GENERATION_TIMEOUT", 504, true],
  ["GENERATION_FAILED", 500, true],
  ["SERVICE_UNAVAILABLE", 503, true],
  ["INTERNAL_ERROR", 500, false]
] as const

/** Response headers of the page "executions/polling". The reset is in 2024, but the other samples are from 2026. */
export const rateLimitHeaders = {
  "x-ratelimit-limit": "60",
  "x-ratelimit-remaining": "57",
  "x-ratelimit-reset": "1710924600"
}

/** The idempotency keys of the pages "quickstart" and "executions/create". */
export const idempotencyKeys = ["my-first-execution-001", "my-unique-key-123", "video-gen-456"] as const

/** Headers of a delivery. Page "webhooks/overview". The signature headers depend on the secret and the time. */
export const deliveryHeaders = { "content-type": "application/json", "user-agent": "ModelRoute-Webhooks/1.0" }

/**
 * Test vector of a signature. The secret is from the page "webhooks/verification". The signature is computed with the
 * rule of this page, because the documentation contains no signature.
 */
export const signedDelivery = {
  secret: "whsec_your_secret_here",
  timestamp: 1774002735,
  body: '{"id":"evt_abc123","event_type":"execution.completed"}',
  signature: "2f8d3911d21e493d862de5dcb33fad01d4ec73c2ae8a7a3064afa981ed5f3d66"
}
