/** The conventional group whose routes are of the free tier where they cost nothing (R96): `model:free`. */
export const FREE_GROUP = 'free'
