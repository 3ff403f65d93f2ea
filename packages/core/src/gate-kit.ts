export { andThen, isPromise, settle, startDeadline, withDeadline } from './async.js'
export type { DiagnosticAttributes } from './audit/attributes.js'
export { inSeconds, listed } from './audit/attributes.js'
export { AUDIT_CHANNEL, resetAudit } from './audit/emitter.js'
export type {
  AuditAttributes,
  AuditCredential,
  AuditEventInput,
  AuditHttp,
} from './audit/event.js'
export { eventLine } from './audit/event-line.js'
export type { AuditEventType, AuditOutcome, AuditSeverity } from './audit/event-types.js'
export { auditEventTypes } from './audit/event-types.js'
export { safeString } from './audit/normalise.js'
export { recordGrant } from './audit/record-grant.js'
export { systemClock } from './clock.js'
export { digest, secretsEqual, sha256 } from './digest.js'
export { CodedTypeError } from './errors.js'
export type { AnswerContext } from './gate/answer.js'
export { answer, problemAnswer, sendAnswer } from './gate/answer.js'
export type { Challenge } from './gate/challenge.js'
export { formatChallenge, formatChallenges, quote } from './gate/challenge.js'
export type { ConnectionWatch, EndedConnection, OpenConnection } from './gate/connection-watch.js'
export { watchConnections } from './gate/connection-watch.js'
export { defineGate } from './gate/define-gate.js'
export type { DecisionStep, ExplainedStep, Explanation } from './gate/explain.js'
export { explain } from './gate/explain.js'
export type { FirstPresentedReason } from './gate/first-presented.js'
export { composeGates } from './gate/first-presented.js'
export type { GateDefinition, WithoutRequest } from './gate/gate.js'
export type { GateOptionRules } from './gate/gate-options.js'
export { gateOptionRules } from './gate/gate-options.js'
export type { Grant } from './gate/grants.js'
export { once } from './gate/grants.js'
export type { ReasonEntry, ReasonTable, ReasonWarning } from './gate/reasons.js'
export type { DecisionContext } from './gate/record.js'
export { describeRequest, record } from './gate/record.js'
export { decisionOn, describeError, isBug, unavailableBy } from './gate/thrown.js'
export type {
  Decision,
  Denied,
  Failed,
  Granted,
  Refusal,
  Unavailable,
  Verdict,
  VerdictDetail,
} from './gate/verdict.js'
export { denied, granted, isDenied, unavailable } from './gate/verdict.js'
export type { WarningCode } from './homepage.js'
export { HOMEPAGE, withPage } from './homepage.js'
export { isLoopback, isSecureUrl } from './options/common.js'
export {
  isProduction,
  isVariableName,
  readBoolean,
  readVariable,
  readVariables,
  refuseStrayVariables,
} from './options/env.js'
export { memberOf } from './options/own.js'
export type { OptionAliases, OptionErrorCode } from './options/resolve.js'
export { nearest, resolveOptions } from './options/resolve.js'
export type { OptionKit, OptionRule, OptionRules, Resolved, RuleBuilder } from './options/rules.js'
export { isAsyncFunction, isGuid, option } from './options/rules.js'
export type { Memory } from './remember-on.js'
export { rememberOn } from './remember-on.js'
export type { Authorization, SplitAuthorization } from './request/authorization.js'
export { isToken68, parseAuthorization, splitAuthorization } from './request/authorization.js'
export type { FieldValue, HeaderFields } from './request/message.js'
export { assertLinesCame, fieldLines, isUpgrade, valuesOfFields } from './request/message.js'
export { singleton } from './singleton.js'
export type { BoundedTtlMapOptions } from './stores/bounded-ttl-map.js'
export { BoundedTtlMap } from './stores/bounded-ttl-map.js'
export { claimOnce, giveBack } from './stores/claim-once.js'
export type { ExpiringRow } from './stores/expiring-rows.js'
export { ExpiringRows } from './stores/expiring-rows.js'
export { LruMap } from './stores/lru-map.js'
export type { MemoryAdvice } from './stores/memory-advice.js'
export { warnOfMemory } from './stores/memory-advice.js'
export { PARTITIONS, partitionOf } from './stores/partition.js'
export { assertTtl } from './stores/replay.js'
export type { ClaimAttempt } from './stores/retried-claims.js'
export { retriedClaims } from './stores/retried-claims.js'
export { ServerClock } from './stores/server-clock.js'
export { isUnavailable } from './stores/unavailable-error.js'
export type { LegacyUse, UsageCounter, UsageStore } from './stores/usage.js'
export { countUsage, countUsageInto } from './stores/usage.js'
export { parseStrictJson } from './strict-json.js'
export type { Warning } from './warn-once.js'
export { warnOnce } from './warn-once.js'
