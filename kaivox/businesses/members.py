"""Operations on the members of a business: roles, invitations by e-mail, and their acceptance.

An invitation is a row and a signed link that names it. The link expires, works once and stops working when
the invitation is revoked. It is only in the e-mail, so the person who opens it owns the address.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q, QuerySet

from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import Business, Invitation, Membership, Role, SecurityNotice
from kaivox.businesses.security_notices import notify_owners
from kaivox.db.transactions import advisory_lock, atomic_write
from kaivox.errors import Conflict, Invalid, NotFound

# How long the link of an invitation works.
INVITATION_LIFETIME: Final = timedelta(days=7)
# Per business, in 24 hours: each invitation sends an e-mail.
MAX_INVITATIONS_A_DAY: Final = 50

_SALT: Final = "kaivox.businesses.invitation"


class LastOwner(Conflict):
    message = "A business needs an owner. Make another member the owner first."


class AlreadyMember(Conflict):
    message = "This person is a member already."


class InvitationNotOpen(Conflict):
    message = "This invitation was used, revoked or has expired. Ask for a new one."


class TooManyInvitations(Conflict):
    message = f"At most {MAX_INVITATIONS_A_DAY} invitations can be sent in 24 hours."


class LoginRequired(Conflict):
    message = "A login with this e-mail address exists. Log in with it to accept the invitation."


# --- Members ----------------------------------------------------------------------------------


@atomic_write
def set_membership(
    *,
    business_id: int,
    user: User,
    role: str,
    actor: User | None = None,
    now: datetime,
) -> Membership:
    """Adds `user` to the business and its sandbox, or changes their role; their login works in the admin
    and the settings from then on. Raises Invalid, LastOwner."""
    _check_role(role)
    business = _lock_business(business_id)
    if role != Role.OWNER:
        _require_other_owner(business, user, actor)
    former = Membership.objects.filter(business=business, user=user).first()
    before = "none" if former is None else former.role
    membership, _ = Membership.objects.update_or_create(
        business=business, user=user, defaults={"role": role}
    )
    for sandbox in Business.objects.filter(sandbox_of=business):
        Membership.objects.update_or_create(business=sandbox, user=user, defaults={"role": role})
    if not user.is_staff:  # without it Django's admin does not accept the login
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    if before != role:
        record_audit(
            business=business,
            actor=actor,
            action="membership.set",
            subject=user,
            changes={"role": [before, role]},
            now=now,
        )
        _notify_of_role(business, user, before, role, now)
    return membership


@atomic_write
def end_membership(*, membership_id: int, actor: User | None = None, now: datetime) -> None:
    """Removes a member, also from the sandbox; their sessions have no access from the next request on.
    Idempotent. Raises LastOwner."""
    rows = Membership.objects.select_related("business", "user")
    for ended in rows.filter(pk=membership_id):
        business = _lock_business(ended.business_id)
        _require_other_owner(business, ended.user, actor)
        ended.delete()
        Membership.objects.filter(business__sandbox_of=business, user=ended.user).delete()
        record_audit(
            business=business, actor=actor, action="membership.ended", subject=ended.user, now=now
        )
        _notify_of_role(business, ended.user, ended.role, "none", now)


def _require_other_owner(business: Business, user: User, actor: User | None) -> None:
    if actor is None or actor.is_superuser:
        return  # KaiVox's own staff can add an owner again
    owners = Membership.objects.filter(business=business, role=Role.OWNER)
    if owners.filter(user=user).exists() and not owners.exclude(user=user).exists():
        raise LastOwner


# --- Invitations ------------------------------------------------------------------------------


@atomic_write
def invite_member(
    *, business_id: int, email: str, role: str, actor: User | None = None, now: datetime
) -> Invitation:
    """E-mails a link with which the person joins with `role`; an open invitation to the same address is
    replaced. Raises Invalid, AlreadyMember, TooManyInvitations."""
    _check_role(role)
    email = _checked_email(email)
    business = _lock_business(business_id)
    if business.sandbox_of_id is not None:
        raise Invalid("The members of a sandbox are those of its business. Invite people there.")
    if Membership.objects.filter(business=business, user__in=logins_of(email)).exists():
        raise AlreadyMember
    mine = Invitation.objects.for_business(business)
    if mine.filter(created_at__gt=now - timedelta(days=1)).count() >= MAX_INVITATIONS_A_DAY:
        raise TooManyInvitations
    mine.open(now).filter(email=email).update(revoked_at=now)
    invitation = Invitation.objects.create(
        business=business,
        email=email,
        role=role,
        invited_by=actor,
        created_at=now,
        expires_at=now + INVITATION_LIFETIME,
    )
    _queue_email(invitation, actor, now)
    _audit_invitation(invitation, actor, "membership.invited", now)
    return invitation


@atomic_write
def revoke_invitation(*, invitation_id: int, actor: User | None = None, now: datetime) -> None:
    """Makes the link of an invitation invalid. Idempotent. Raises NotFound."""
    invitation = _locked_invitation(invitation_id)
    if invitation.is_open(now):
        invitation.revoked_at = now
        invitation.save(update_fields=["revoked_at"])
        _audit_invitation(invitation, actor, "membership.invitation_revoked", now)


def token_of(invitation: Invitation) -> str:
    """The part of the link that identifies the invitation; only the server can make one."""
    return signing.dumps(invitation.pk, salt=_SALT)


def find_invitation(token: str, *, now: datetime) -> Invitation:
    """The open invitation of a link. Raises NotFound, InvitationNotOpen."""
    try:
        pk = signing.loads(token, salt=_SALT, max_age=INVITATION_LIFETIME)
    except signing.BadSignature as error:
        raise NotFound from error
    invitation = Invitation.objects.select_related("business").filter(pk=pk).first()
    if invitation is None:
        raise NotFound
    if not invitation.is_open(now):
        raise InvitationNotOpen
    return invitation


@atomic_write
def accept_invitation(*, invitation_id: int, user: User, now: datetime) -> Membership:
    """Makes `user`, whose login has the address of the invitation, a member. Raises InvitationNotOpen,
    LoginRequired for another login."""
    invitation = _locked_invitation(invitation_id)
    if not invitation.is_open(now):
        raise InvitationNotOpen
    if not logins_of(invitation.email).filter(pk=user.pk).exists():
        raise LoginRequired
    return _join(invitation, user, now)


@atomic_write
def accept_with_new_login(*, invitation_id: int, password: str, now: datetime) -> User:
    """Creates a login with the address of the invitation as its name, and makes it a member. The caller
    has validated `password`. Raises InvitationNotOpen, LoginRequired if a login has this address."""
    invitation = _locked_invitation(invitation_id)
    if not invitation.is_open(now):
        raise InvitationNotOpen
    # Another business may have invited the same person, who opens both links at once.
    advisory_lock("login", invitation.email)
    if logins_of(invitation.email).exists():
        raise LoginRequired
    user = User.objects.create_user(invitation.email, email=invitation.email, password=password)
    _join(invitation, user, now)
    return user


def logins_of(email: str) -> QuerySet[User]:
    """Logins with this address, as their name or e-mail, compared without case."""
    return User.objects.filter(Q(username__iexact=email) | Q(email__iexact=email))


# --- Parts ------------------------------------------------------------------------------------


def _join(invitation: Invitation, user: User, now: datetime) -> Membership:
    invitation.accepted_at = now
    invitation.save(update_fields=["accepted_at"])
    return set_membership(
        business_id=invitation.business_id, user=user, role=invitation.role, actor=user, now=now
    )


def _notify_of_role(business: Business, user: User, before: str, after: str, now: datetime) -> None:
    notify_owners(
        business=business,
        subject="A role at your business has changed in KaiVox",
        text=f"Person: {user.get_username()}\nRole before: {before}\nRole now: {after}",
        now=now,
    )


def _check_role(role: str) -> None:
    if role not in Role.values:
        raise Invalid(
            errors={"role": [f"Unknown role {role}. Choose one of: {', '.join(Role.values)}."]}
        )


def _checked_email(email: str) -> str:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid(errors={"email": ["Enter an e-mail address."]}) from error
    if len(email) > 150:  # the length of a user name
        raise Invalid(errors={"email": ["At most 150 characters."]})
    return email


def _lock_business(business_id: int) -> Business:
    """Locks the business row: of two changes to its owners at once the second sees the first."""
    locked = Business.objects.select_for_update(no_key=True).filter(pk=business_id).first()
    if locked is None:
        raise NotFound
    return locked


def _locked_invitation(invitation_id: int) -> Invitation:
    """Locks the row: of two acceptances at once the second fails."""
    rows = Invitation.objects.select_for_update(no_key=True, of=("self",))
    locked: Invitation | None = rows.select_related("business").filter(pk=invitation_id).first()
    if locked is None:
        raise NotFound
    return locked


def _queue_email(invitation: Invitation, actor: User | None, now: datetime) -> None:
    """The link is only in the e-mail; the row of the e-mail is deleted when it is sent."""
    by = f"{actor.get_username()} invites you" if actor else "You are invited"
    link = f"{settings.PUBLIC_URL}/invitations/{token_of(invitation)}"
    SecurityNotice.objects.create(
        recipient=invitation.email,
        subject=f"Invitation to {invitation.business.name} on KaiVox"[:300],
        body=(
            f"{by} to join {invitation.business.name} on KaiVox as {invitation.get_role_display().lower()}.\n\n"
            f"Accept the invitation: {link}\n\n"
            f"The link works once, until {invitation.expires_at:%Y-%m-%d %H:%M} UTC. If you did not expect "
            "this invitation, ignore this e-mail.\n"
        ),
        created_at=now,
    )


def _audit_invitation(
    invitation: Invitation, actor: User | None, action: str, now: datetime
) -> None:
    record_audit(
        business=invitation.business,
        actor=actor,
        action=action,
        subject=invitation.email,
        changes={"role": invitation.role},
        now=now,
    )
