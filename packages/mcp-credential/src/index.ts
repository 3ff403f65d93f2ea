export type { Principal } from '@countersign/core'
export { principalOf } from '@countersign/core'
export type { McpCredentials, McpCredentialsOptions } from './create-mcp-credentials.js'
export { createMcpCredentials } from './create-mcp-credentials.js'
export type { McpAuthInfo } from './gate/auth-info.js'
export type { ToolRules } from './gate/tools.js'
export type { IssueOptions } from './issue-options.js'
export { IssueRefusedError } from './issue-refused-error.js'
export type { IssuedCredential } from './issued-credential.js'
export type { LifeOptions } from './life.js'
export type { RequireMcpCredentialOptions } from './options.js'
export type { McpCredentialPrincipal } from './principal.js'
export type { McpCredentialDependency, McpCredentialReason } from './reasons.js'
export { requireMcpCredential } from './require-mcp-credential.js'
export type { IsAlive, Resolution } from './resolve-credential.js'
export { LivenessError } from './resolve-credential.js'
export type { MemoryCredentialStore, MemoryCredentialsOptions } from './stores/memory.js'
export { memoryCredentials } from './stores/memory.js'
export type {
  CredentialLife,
  CredentialRecord,
  FoundCredential,
  IssueOutcome,
  ListFilter,
  ListPage,
  McpCredentialStore,
  NewCredential,
  OnExisting,
  RevocableScope,
  Standing,
} from './stores/store.js'
