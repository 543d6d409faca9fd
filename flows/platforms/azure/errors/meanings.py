"""The table of error codes: what each means and what to do about it; what a message names goes before it (`details`)."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "FINE_TUNE_REFUSED",
    "FOR_SUPPORT",
    "MEANINGS",
    "NO_NEW_DEPLOYMENTS",
    "PASSING",
    "TOKEN_CODES",
    "WRAPPERS",
]

_SIGN_IN = "sign in again, for instance by 'az login'"
_ELSEWHERE = (
    "deploy under another name (strategy blue_green), or delete it first (strategy replace)"
)
_VERSION = "remove 'arm_api_version'"

MEANINGS: Mapping[str, tuple[str, str]] = {
    "InsufficientQuota": (
        "the quota does not reach for this deployment",
        "lower the slot's capacity, delete what is not needed ('gatewright sweep'), or ask for more in the portal under"
        " 'Quota'",
    ),
    "ModelUpgradeNotSupported": (
        "a deployment of a fine-tuned model cannot be given another model",
        _ELSEWHERE,
    ),
    "CannotChangeDeploymentModel": ("this deployment cannot be given another model", _ELSEWHERE),
    "DeploymentModelNotSupported": (
        "the model cannot be deployed here: unknown, retired, or of another region or account",
        "check the model id; for a model of another account name that account under 'source'",
    ),
    "ServiceModelDeprecating": (
        "new deployments of this model are blocked, except for those who have one",
        "take a newer base model; models fine-tuned on it live on until their own date",
    ),
    "ServiceModelDeprecated": (
        "the model takes no new deployments any more",
        "take a newer base model; models fine-tuned on it can be deployed until their own date, which"
        " 'gatewright doctor TARGET --model ID' shows",
    ),
    "InvalidResourceProperties": (
        "a property of the deployment is not taken",
        "see what the service returned, and compare the slot's 'sku' and 'capacity'",
    ),
    "InvalidCapacity": (
        "the capacity does not fit this model and SKU",
        "change the slot's 'capacity'",
    ),
    "SpecialFeatureOrQuotaIdRequired": (
        "the subscription has no access to this",
        "use a subscription with access to Azure OpenAI, or ask Azure support to enable it",
    ),
    "715-123420": (
        "Azure's protection against abuse has stopped the request as unusual for this subscription; model, role and"
        " target may well be right",
        "don't repeat it for some hours; check that the quota reaches (gatewright doctor) and that the subscription has"
        " a payment method; if it stays, open a support request for the subscription with the request id",
    ),
    "RequestDisallowedByPolicy": (
        "a policy of the organisation forbids it",
        "ask who owns the policy for an exemption, or change what it asks for (az policy assignment list"
        " --disable-scope-strict-match)",
    ),
    "RequestDisallowedByAzure": (
        "Azure does not let this subscription create it in this region",
        "use an account in another region, or ask Azure support",
    ),
    "DenyAssignmentAuthorizationFailed": (
        "a deny assignment forbids it, whatever roles are held",
        "ask the owner of the subscription: deny assignments come from managed applications and deployment stacks",
    ),
    "ScopeLocked": (
        "a lock forbids it",
        "have the lock removed (az lock list shows its id; az lock delete --ids ID), then run the same command again",
    ),
    "MissingSubscriptionRegistration": (
        "the subscription has never used this kind of resource",
        "az provider register --namespace Microsoft.CognitiveServices --wait",
    ),
    "SubscriptionNotRegistered": (
        "the subscription has never used this kind of resource",
        "az provider register --namespace Microsoft.CognitiveServices --wait",
    ),
    "ReadOnlyDisabledSubscription": (
        "the subscription is disabled and can only be read",
        "have its owner enable it again; an unpaid bill or a used-up credit is the usual cause",
    ),
    "AccountIsNotSucceeded": (
        "the account itself is broken or not ready",
        "see its provisioning state (az cognitiveservices account show) and mend the account first",
    ),
    "AccountProvisioningStateInvalid": (
        "the account itself is being changed",
        "try again once it is ready (az cognitiveservices account show)",
    ),
    "AuthenticationFailed": ("the token was refused", _SIGN_IN),
    "ExpiredAuthenticationToken": ("the token has expired", "sign in again, or give a fresh token"),
    "InvalidAuthenticationToken": ("the token was refused", _SIGN_IN),
    "InvalidAuthenticationTokenAudience": (
        "the token is for another service",
        "give a token for https://management.azure.com",
    ),
    "InvalidAuthenticationTokenTenant": (
        "the token belongs to another tenant than the subscription",
        "sign in to the right tenant, or set 'tenant' in the target's azure_openai block",
    ),
    "AuthorizationFailed": (
        "a role is missing",
        "have 'Cognitive Services OpenAI Contributor' assigned at the account",
    ),
    "LinkedAuthorizationFailed": (
        "rights are missing on the source account that holds the model",
        "have 'Cognitive Services OpenAI Contributor' assigned on the source account as well",
    ),
    "ResourceNotFound": ("there is no such resource", "check the account's name"),
    "ResourceGroupNotFound": ("there is no such resource group", "check 'resource_group'"),
    "SubscriptionNotFound": (
        "there is no such subscription for this sign-in",
        "check 'subscription'",
    ),
    "ParentResourceNotFound": ("there is no such account", "check 'account' and 'resource_group'"),
    "RequestConflict": (
        "another operation on the same account was still going when time ran out",
        "try again later",
    ),
    "IfMatchPreconditionFailed": (
        "another operation on the same account was still going when time ran out",
        "try again later",
    ),
    "TooManyRequests": ("the control plane is throttling", "try again later"),
    "ResourceCollectionRequestsThrottled": ("the control plane is throttling", "try again later"),
    "SubscriptionRequestsThrottled": ("the control plane is throttling", "try again later"),
    "InternalServerError": (
        "the service failed",
        "try again later; a wrong model format also shows like this",
    ),
    "NoRegisteredProviderFound": ("the api-version is not known", _VERSION),
    "InvalidApiVersionParameter": ("the api-version is not known", _VERSION),
    "InvalidResourceType": ("the api-version does not know this operation", _VERSION),
    "DeploymentNotFound": (
        "the data plane does not know the deployment: missing, expired, or not through yet",
        "deploy it again; a developer slot is removed 24 hours after its creation",
    ),
}
"""Code -> (what it means, what to do). Codes compare case-insensitively."""

PASSING = frozenset(
    {
        "accountprovisioningstateinvalid",
        "deploymentnotfound",
        "ifmatchpreconditionfailed",
        "internalservererror",
        "requestconflict",
        "resourcecollectionrequeststhrottled",
        "subscriptionrequeststhrottled",
        "toomanyrequests",
    }
)
"""Codes of the table after which the same request may go well later; what else it has lasts until a person mends it."""

NO_NEW_DEPLOYMENTS = frozenset({"servicemodeldeprecated", "servicemodeldeprecating"})
"""Codes that a model takes no new deployments any more; lower case."""

FINE_TUNE_REFUSED = (
    "the service refuses this fine-tune, although the day published for models fine-tuned on its base may be later: ask"
    " Azure support with the request id, or try an account in another region ('source' names this one there); until it is"
    " settled state its 'fine_tunes_end' under 'lifetimes' in the target, so that doctor refuses it, and train the"
    " successor on a newer base model"
)
"""What to do about `NO_NEW_DEPLOYMENTS` for a model that is fine-tuned itself."""

WRAPPERS = frozenset(
    {
        "invalidtemplatedeployment",
        "deploymentfailed",
        "resourcedeploymentfailure",
        "resourcevalidationfailed",
        "multipleerrorsoccurred",
        "preflightvalidationcheckfailed",
        "badrequest",
        "conflict",
        "forbidden",
    }
)
"""Codes that say no more than that there is another error inside, where there is one; lower case."""

TOKEN_CODES = frozenset(
    {
        "authenticationfailed",
        "expiredauthenticationtoken",
        "invalidauthenticationtoken",
        "invalidauthenticationtokenaudience",
        "invalidauthenticationtokentenant",
        "401",
    }
)
"""Codes of a refused token; lower case."""

FOR_SUPPORT = NO_NEW_DEPLOYMENTS | {
    "715-123420",
    "requestdisallowedbyazure",
    "internalservererror",
}
"""Codes that only Azure's support can do something about, which asks for the request id; lower case."""
