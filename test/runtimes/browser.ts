/** Runs the scenarios in a browser and sends the results to the server. The settings are in the fragment of the URL. */
import { runAll } from "./scenarios.js"

const results = await runAll(JSON.parse(decodeURIComponent(location.hash.slice(1))))
await fetch("/results", { method: "POST", body: JSON.stringify(results) })
