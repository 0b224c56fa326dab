/**
 * Lists the folders of the command, with the modules that Stryker mutates and the tests that run against each mutant. The tests of a folder
 * exclude tests of processes, clusters and databases, because these tests are slow and add no coverage.
 */

/** A folder of the command. */
export interface Folder {
  /** Globs of the mutated modules. */
  readonly mutate: ReadonlyArray<string>
  /** Globs of the tests that run against the mutants. */
  readonly tests: ReadonlyArray<string>
  /** Minimum percentage of detected mutants. */
  readonly minScore: number
}

/** The modules of the gate and its queue. Their tests send requests, so the tests are slower than the tests of the rules. */
const gateModules: ReadonlyArray<string> = [
  "src/internal/rateLimit/{admission,gate,gateMetrics,limitLog,permit,queueTimer,snapshot}.ts",
  "src/RateLimitGate.ts"
]

export const folders: Readonly<Record<string, Folder>> = {
  retry: {
    mutate: ["src/internal/retry/*.ts", "src/RetryPolicy.ts"],
    tests: ["test/RetryPolicy.test.ts", "test/retry/*.test.ts"],
    minScore: 100
  },
  rateLimit: {
    mutate: ["src/internal/rateLimit/*.ts", ...gateModules.map((path) => `!${path}`)],
    tests: [
      "test/rateLimit/{clockSkew,fairQueue,fallbackRules,limiter,otherClients}.test.ts",
      "test/rateLimit/{probes,queueEntry,rejection,resetLag,window}.test.ts"
    ],
    minScore: 100
  },
  gate: {
    mutate: gateModules,
    tests: [
      "test/RateLimitGate.test.ts",
      "test/ClusterRateLimitGate.test.ts",
      "test/http/isolatedRequests.test.ts",
      "test/rateLimit/{admission,gate.properties,limitLog,queueEntry,queueTimer}.test.ts"
    ],
    minScore: 90
  },
  errors: {
    mutate: ["src/internal/errors/*.ts", "src/ModelRouteError.ts"],
    tests: ["test/ModelRouteError.test.ts", "test/errors/*.test.ts"],
    minScore: 90
  },
  webhooks: {
    mutate: ["src/internal/webhooks/*.ts", "src/Webhook.ts", "src/WebhookEndpoint.ts"],
    tests: [
      "test/{Webhook,apiSamples}.test.ts",
      "test/webhooks/{dedup,endpoints,failureText,handler,notifyClient,requestBody}.test.ts",
      "test/errors/optionChecks.test.ts",
      "test/http/isolatedRequests.test.ts"
    ],
    minScore: 90
  },
  executions: {
    mutate: ["src/internal/executions/*.ts", "src/Execution.ts"],
    tests: [
      "test/{Execution,IdempotencyKey,Model,ModelRouteClient,apiSamples,telemetry}.test.ts",
      "test/executions/*.test.ts",
      "test/typedModels/upload.test.ts",
      "test/batch/ambiguousSubmission.test.ts",
      "test/data/monotonic.test.ts",
      "test/errors/optionChecks.test.ts",
      "test/http/isolatedRequests.test.ts"
    ],
    minScore: 90
  },
  http: {
    mutate: ["src/internal/http/*.ts", "src/IdempotencyKey.ts"],
    tests: [
      "test/http/{attempt,attemptInterceptor,attemptTimeout,bodyReader,childFiber,clientOptions}.test.ts",
      "test/http/{contentLength,decodeBody,idempotencyKey,isolatedRequests,jsonBody,keyExpiry}.test.ts",
      "test/http/{makePermitRequest,rawRequest,requests,responseBody,retryLoop,runOnce,runtime}.test.ts",
      "test/http/{sharedTimer,transportBody,transportError,transportSources}.test.ts",
      "test/IdempotencyKey.test.ts"
    ],
    minScore: 90
  },
  batch: {
    mutate: ["src/internal/batch/*.ts", "src/Batch.ts"],
    tests: [
      "test/Batch.test.ts",
      "test/SqlJournal.test.ts",
      "test/batch/{ambiguousSubmission,batch.properties,costBudget,journal,journalEntry,journalKeyValueStore}.test.ts",
      "test/batch/{journalWriter,limits,mapConcurrently,models,plan,progress,resume,retryBudget,stopSignal,submitGuard}.test.ts"
    ],
    minScore: 90
  }
}
