//! Verify: the owner of an address presents the token that was mailed to it.

use jiff::Timestamp;

use super::{
    Registry,
    ports::{Confirmed, StoreError},
};
use crate::domain::{
    customer::Customer,
    email_address::EmailAddress,
    history::{Actor, Deed, Event},
    token::Token,
    verification::{Standing, Verification},
};

/// Why a token proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum VerifyEmailError {
    /// It is not one of ours, or not for this address any more.
    #[error("the token is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// The store broke down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A proof, confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailVerified {
    /// Whose address it is.
    pub customer: Customer,
    /// Whether it had been confirmed before.
    pub repeated: bool,
}

/// What the page of a link shows before its button is pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofOnOffer {
    /// The address to be confirmed.
    pub email: EmailAddress,
    /// When it was confirmed, if it was.
    pub confirmed_at: Option<Timestamp>,
}

impl Registry {
    /// What a token is for. Changes nothing, so that link scanners may look as often as they like.
    ///
    /// # Errors
    /// [`VerifyEmailError`].
    pub async fn look_at_token(&self, token: &str) -> Result<ProofOnOffer, VerifyEmailError> {
        let proof = self.believed(token).await?;
        let standing = proof.standing(self.clock.now());
        // The owner may have pressed the button of another mail.
        let confirmed_at = match (standing, self.proven_customer(&proof).await?) {
            (Standing::Confirmed(at), _) => Some(at),
            (_, Some(customer)) => customer.verified_at,
            (Standing::Open, None) => None,
            (Standing::Expired, None) => return Err(VerifyEmailError::Expired),
        };
        Ok(ProofOnOffer { email: proof.email, confirmed_at })
    }

    /// Confirms the address that a token was mailed to. Twice is once: a repeat says so and changes nothing.
    ///
    /// # Errors
    /// [`VerifyEmailError`]; nothing is changed then.
    pub async fn verify_email(&self, token: &str) -> Result<EmailVerified, VerifyEmailError> {
        let now = self.clock.now();
        let proof = self.believed(token).await?;
        let standing = proof.standing(now);
        // A repeat is answered without a turn at the writer: whoever was mailed once can repeat it for ever.
        if standing != Standing::Open
            && let Some(customer) = self.proven_customer(&proof).await?
        {
            return Ok(EmailVerified { customer, repeated: true });
        }
        if standing == Standing::Expired {
            return Err(VerifyEmailError::Expired);
        }
        let event =
            Event { customer_id: proof.customer_id, at: now, deed: Deed::Verified, actor: Actor::Owner, note: None };
        match self.verifications.confirm(&proof, now, &event).await? {
            Confirmed::Now(customer) => Ok(EmailVerified { customer, repeated: false }),
            Confirmed::Before(customer) => Ok(EmailVerified { customer, repeated: true }),
            Confirmed::NoLonger => Err(VerifyEmailError::Invalid),
        }
    }

    /// The proof of a token whose MAC is right.
    async fn believed(&self, token: &str) -> Result<Verification, VerifyEmailError> {
        let token = Token::parse(token).ok_or(VerifyEmailError::Invalid)?;
        let proof = self.verifications.find(token.verification_id).await?;
        // The MAC is worked out even where there is no proof, so that time does not tell which ids exist.
        let email = proof.as_ref().map_or("", |proof| proof.email.canonical());
        let matches = self.mac_key.matches(&token, email);
        proof.filter(|_| matches).ok_or(VerifyEmailError::Invalid)
    }

    /// The customer of a proof, if the same address is proven, by whichever proof.
    async fn proven_customer(&self, proof: &Verification) -> Result<Option<Customer>, VerifyEmailError> {
        let customer = self.customers.find(proof.customer_id).await?;
        Ok(customer
            .filter(|customer| customer.verified_at.is_some())
            .filter(|customer| customer.particulars.email.canonical() == proof.email.canonical()))
    }
}
